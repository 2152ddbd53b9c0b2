"""Everything that a service does with communication-base, by the MongoDB driver alone. docs/writing-campaigns.md explains it.

    pip install -r requirements.txt && python3 campaigns.py

It needs a worker with a channel `sms`. MONGODB_URI and MONGODB_DATABASE say where.
"""

import os
import time
from datetime import datetime, timezone

from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError


def now():
    return datetime.now(timezone.utc)


def patiently(what, ask):
    """Asks until there is an answer; raises after half a minute."""
    for _ in range(100):
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.3)
    raise TimeoutError(f"waited in vain: {what}")


# region template
def store_template(db):
    """Templates are never changed in place: other words are another version."""
    template = {
        "_id": {"id": "invitation", "version": 1},
        "variables": {"event": "the summer party"},
        "flow": {
            "stages": [
                {
                    "id": "invite",
                    "type": "message",
                    "channel": "sms",
                    "content": {"text": "Hello {{ contact.name }}, will you come to {{ variables.event }}?"},
                    "followUps": [{"after": "P2D"}],
                    "waitForReply": "P3D",
                    "on": {"accept": "coming", "reply": "answered", "noReply": "silent"},
                },
                {"id": "coming", "type": "end", "outcome": "accepted"},
                {"id": "answered", "type": "end", "outcome": "answered"},
                {"id": "silent", "type": "end", "outcome": "no_answer"},
            ]
        },
    }
    try:
        db.templates.insert_one(template)
    except DuplicateKeyError:
        pass  # it is there already: somebody ran this before
# endregion


# region campaign
def store_campaign(db, campaign_id, **fields):
    """May be called again: the campaign is stored once, and starts once."""
    db.campaigns.update_one({"_id": campaign_id}, {"$setOnInsert": fields}, upsert=True)
# endregion


# region poll
def until_sent(db, campaign_id, count):
    """`metrics` are two seconds behind at most: asking more often tells nothing new."""

    def ask():
        campaign = db.campaigns.find_one({"_id": campaign_id}, {"metrics": 1}) or {}
        sent = campaign.get("metrics", {}).get("messages", {}).get("sent", 0)
        return True if sent >= count else None

    patiently(f"{count} messages of {campaign_id}", ask)
# endregion


# region reply
def push_reply(db, conversation, event_id, event_type, text):
    """For whoever knows the conversation. An event counts once, by its `id`."""
    event = {"id": event_id, "type": event_type, "text": text, "at": now()}
    pushed = db.conversation_states.update_one({"_id": conversation}, {"$push": {"inbox": event}})
    return pushed.matched_count == 1
# endregion


# region inbound
def store_inbound(db, event_id, address, text):
    """For whoever knows an address. `_id` is what the provider calls the event, so that what comes twice is stored once."""
    event = {"type": "reply", "channel": "sms", "address": address, "text": text, "at": now()}
    db.inbound_events.update_one({"_id": event_id}, {"$setOnInsert": event}, upsert=True)
# endregion


# region follow
def until_ended(db, campaign_id):
    """The campaign once it has ended, in whatever way; None when it was deleted."""
    match = [{"$match": {"documentKey._id": campaign_id}}]
    with db.campaigns.watch(match, full_document="updateLookup") as changes:
        # the stream is open: what happens from here on is not missed
        campaign = db.campaigns.find_one({"_id": campaign_id})
        while campaign and campaign["status"] not in ("completed", "cancelled", "failed"):
            campaign = changes.next().get("fullDocument")
        return campaign
# endregion


# region results
def outcomes_of(db, campaign_id):
    """Conversations lie together by their ids; ";" comes behind ":"."""
    ids = {"$gte": f"{campaign_id}:", "$lt": f"{campaign_id};"}
    for one in db.conversation_states.find({"_id": ids}).sort("_id"):
        yield f"{one['_id']} {one.get('outcome', one['status'])}"
# endregion


# region enroll
def enroll(db, enrollment_id, campaign_id, contact):
    """One contact into a campaign of type `triggered`: the conversation, or why there is none."""
    fields = {"campaignId": campaign_id, "contact": contact, "at": now()}
    db.enrollments.update_one({"_id": enrollment_id}, {"$setOnInsert": fields}, upsert=True)
    answered = {"_id": enrollment_id, "handledAt": {"$exists": True}}
    answer = patiently(f"enrollment {enrollment_id}", lambda: db.enrollments.find_one(answered))
    return answer.get("conversationId") or f"nobody: {answer.get('reason')}"
# endregion


# region cancel
def cancel(db, campaign_id):
    """False: it has ended already, or is not there."""
    still_open = {"$in": ["draft", "pending", "scheduled", "running", "paused"]}
    changed = db.campaigns.update_one({"_id": campaign_id, "status": still_open}, {"$set": {"status": "cancelled"}})
    return changed.modified_count == 1
# endregion


# region error
def complaint_of(campaign):
    """What is wrong with a campaign is told in its document: `path` says where."""
    told = f"{campaign['_id']} is {campaign['status']}"
    error = campaign.get("error")
    return f"{told}: {error['code']} at {error.get('path')}" if error else told
# endregion


def main(db):
    ada = {"id": "ada", "name": "Ada", "phone": "+493055501005"}
    grace = {"id": "grace", "name": "Grace", "phone": "+493055501006"}
    stage = {"id": "hello", "type": "message", "channel": "sms", "content": {"text": "Hello"}}

    store_template(db)
    contacts = {"contacts": [ada, grace]}
    store_campaign(db, "party", status="pending", audience=contacts, templateId="invitation", templateVersion=1)
    until_sent(db, "party", 2)
    print("reply pushed:", str(push_reply(db, "party:ada", "reply-1", "accept", "With pleasure")).lower())
    store_inbound(db, "reply-2", grace["phone"], "Who else comes?")
    party = until_ended(db, "party")
    print(complaint_of(party))
    print(f"{party['metrics']['messages']['sent']} messages sent, {party['metrics']['replied']} replies")
    for line in outcomes_of(db, "party"):
        print(line)

    store_campaign(db, "welcome", type="triggered", status="pending", flow={"stages": [stage]})
    print("enrolled:", enroll(db, "signup-1", "welcome", ada))
    print("cancelled:", str(cancel(db, "welcome")).lower())

    fax = {"stages": [{**stage, "channel": "fax"}]}
    store_campaign(db, "wrong", status="pending", audience={"contacts": [ada]}, flow=fax)
    print(complaint_of(until_ended(db, "wrong")))


uri = os.environ.get("MONGODB_URI", "mongodb://127.0.0.1:27017/?replicaSet=rs0")
with MongoClient(uri) as client:
    main(client[os.environ.get("MONGODB_DATABASE", "communication_base")])
