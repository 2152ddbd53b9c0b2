// Everything that a service does with communication-base, by the MongoDB driver alone. docs/writing-campaigns.md explains it.
//
//	go run .
//
// It needs a worker with a channel `sms`. MONGODB_URI and MONGODB_DATABASE say where.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Campaign is as much of one as this service looks at.
type Campaign struct {
	ID     string `bson:"_id"`
	Status string `bson:"status"`
	Error  *struct {
		Code string `bson:"code"`
		Path string `bson:"path"`
	} `bson:"error"`
	Metrics struct {
		Replied  int `bson:"replied"`
		Messages struct {
			Sent int `bson:"sent"`
		} `bson:"messages"`
	} `bson:"metrics"`
}

type Contact struct {
	ID    string `bson:"id"`
	Name  string `bson:"name"`
	Phone string `bson:"phone"`
}

// patiently asks until there is an answer or an error; it gives up after half a minute.
func patiently(ctx context.Context, ask func() (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Second)
	defer stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// #region template

// storeTemplate stores what is never changed in place: other words are another version.
func storeTemplate(ctx context.Context, db *mongo.Database) error {
	stages := bson.A{
		bson.M{
			"id": "invite", "type": "message", "channel": "sms",
			"content":      bson.M{"text": "Hello {{ contact.name }}, will you come to {{ variables.event }}?"},
			"followUps":    bson.A{bson.M{"after": "P2D"}},
			"waitForReply": "P3D",
			"on":           bson.M{"accept": "coming", "reply": "answered", "noReply": "silent"},
		},
		bson.M{"id": "coming", "type": "end", "outcome": "accepted"},
		bson.M{"id": "answered", "type": "end", "outcome": "answered"},
		bson.M{"id": "silent", "type": "end", "outcome": "no_answer"},
	}
	_, err := db.Collection("templates").InsertOne(ctx, bson.M{
		// the order of fields in an _id matters: a bson.M has none
		"_id":       bson.D{{Key: "id", Value: "invitation"}, {Key: "version", Value: 1}},
		"variables": bson.M{"event": "the summer party"},
		"flow":      bson.M{"stages": stages},
	})
	if mongo.IsDuplicateKeyError(err) {
		return nil // it is there already: somebody ran this before
	}
	return err
}

// #endregion

// #region campaign

// storeCampaign may be called again: the campaign is stored once, and starts once.
func storeCampaign(ctx context.Context, db *mongo.Database, id string, fields bson.M) error {
	return storeOnce(ctx, db.Collection("campaigns"), id, fields)
}

func storeOnce(ctx context.Context, collection *mongo.Collection, id string, fields bson.M) error {
	_, err := collection.UpdateOne(ctx, bson.M{"_id": id}, bson.M{"$setOnInsert": fields}, options.UpdateOne().SetUpsert(true))
	return err
}

// #endregion

// #region poll

// untilSent looks at metrics, which are two seconds behind at most: asking more often tells nothing new.
func untilSent(ctx context.Context, db *mongo.Database, id string, count int) error {
	only := options.FindOne().SetProjection(bson.M{"metrics": 1})
	return patiently(ctx, func() (bool, error) {
		var campaign Campaign
		err := db.Collection("campaigns").FindOne(ctx, bson.M{"_id": id}, only).Decode(&campaign)
		return campaign.Metrics.Messages.Sent >= count, err
	})
}

// #endregion

// #region reply

// pushReply is for whoever knows the conversation. An event counts once, by its id.
func pushReply(ctx context.Context, db *mongo.Database, conversation, id, kind, text string) (bool, error) {
	event := bson.M{"id": id, "type": kind, "text": text, "at": time.Now()}
	pushed, err := db.Collection("conversation_states").
		UpdateOne(ctx, bson.M{"_id": conversation}, bson.M{"$push": bson.M{"inbox": event}})
	if err != nil {
		return false, err
	}
	return pushed.MatchedCount == 1, nil
}

// #endregion

// #region inbound

// storeInbound is for whoever knows an address. The id is what the provider calls the event: what comes twice is stored once.
func storeInbound(ctx context.Context, db *mongo.Database, id, address, text string) error {
	event := bson.M{"type": "reply", "channel": "sms", "address": address, "text": text, "at": time.Now()}
	return storeOnce(ctx, db.Collection("inbound_events"), id, event)
}

// #endregion

// #region follow

// untilEnded returns the campaign once it has ended, in whatever way; nil when it was deleted.
func untilEnded(ctx context.Context, db *mongo.Database, id string) (*Campaign, error) {
	campaigns := db.Collection("campaigns")
	match := mongo.Pipeline{{{Key: "$match", Value: bson.M{"documentKey._id": id}}}}
	changes, err := campaigns.Watch(ctx, match, options.ChangeStream().SetFullDocument(options.UpdateLookup))
	if err != nil {
		return nil, err
	}
	defer changes.Close(ctx)
	// the stream is open: what happens from here on is not missed
	campaign := &Campaign{}
	err = campaigns.FindOne(ctx, bson.M{"_id": id}).Decode(campaign)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	for err == nil && campaign != nil {
		switch campaign.Status {
		case "completed", "cancelled", "failed":
			return campaign, nil
		}
		if !changes.Next(ctx) {
			return nil, changes.Err()
		}
		var change struct {
			Document *Campaign `bson:"fullDocument"`
		}
		err = changes.Decode(&change)
		campaign = change.Document
	}
	return nil, err
}

// #endregion

// #region results

// outcomesOf reads conversations, which lie together by their ids; ";" comes behind ":".
func outcomesOf(ctx context.Context, db *mongo.Database, id string) ([]string, error) {
	ids := bson.M{"$gte": id + ":", "$lt": id + ";"}
	found, err := db.Collection("conversation_states").
		Find(ctx, bson.M{"_id": ids}, options.Find().SetSort(bson.M{"_id": 1}))
	if err != nil {
		return nil, err
	}
	var conversations []struct {
		ID      string `bson:"_id"`
		Status  string `bson:"status"`
		Outcome string `bson:"outcome"`
	}
	if err := found.All(ctx, &conversations); err != nil {
		return nil, err
	}
	lines := make([]string, 0, len(conversations))
	for _, one := range conversations {
		lines = append(lines, one.ID+" "+cmp.Or(one.Outcome, one.Status))
	}
	return lines, nil
}

// #endregion

// #region enroll

// enroll brings one contact into a campaign of type triggered, and returns the conversation, or why there is none.
func enroll(ctx context.Context, db *mongo.Database, id, campaign string, contact Contact) (string, error) {
	enrollments := db.Collection("enrollments")
	fields := bson.M{"campaignId": campaign, "contact": contact, "at": time.Now()}
	if err := storeOnce(ctx, enrollments, id, fields); err != nil {
		return "", err
	}
	var answer struct {
		Conversation string `bson:"conversationId"`
		Reason       string `bson:"reason"`
	}
	err := patiently(ctx, func() (bool, error) {
		answered := bson.M{"_id": id, "handledAt": bson.M{"$exists": true}}
		err := enrollments.FindOne(ctx, answered).Decode(&answer)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return false, nil
		}
		return err == nil, err
	})
	return cmp.Or(answer.Conversation, "nobody: "+answer.Reason), err
}

// #endregion

// #region cancel

// cancel returns false where it has ended already, or is not there.
func cancel(ctx context.Context, db *mongo.Database, id string) (bool, error) {
	open := bson.M{"$in": bson.A{"draft", "pending", "scheduled", "running", "paused"}}
	changed, err := db.Collection("campaigns").
		UpdateOne(ctx, bson.M{"_id": id, "status": open}, bson.M{"$set": bson.M{"status": "cancelled"}})
	if err != nil {
		return false, err
	}
	return changed.ModifiedCount == 1, nil
}

// #endregion

// #region error

// complaintOf says what is wrong with a campaign: its document tells it, and Path says where.
func complaintOf(campaign *Campaign) string {
	if campaign == nil {
		return "it was deleted"
	}
	if campaign.Error == nil {
		return fmt.Sprintf("%s is %s", campaign.ID, campaign.Status)
	}
	return fmt.Sprintf("%s is %s: %s at %s", campaign.ID, campaign.Status, campaign.Error.Code, campaign.Error.Path)
}

// #endregion

func run(ctx context.Context, db *mongo.Database) error {
	ada := Contact{ID: "ada", Name: "Ada", Phone: "+493055501005"}
	grace := Contact{ID: "grace", Name: "Grace", Phone: "+493055501006"}
	flow := func(channel string) bson.M {
		content := bson.M{"text": "Hello"}
		return bson.M{"stages": bson.A{bson.M{"id": "hello", "type": "message", "channel": channel, "content": content}}}
	}

	if err := storeTemplate(ctx, db); err != nil {
		return err
	}
	if err := storeCampaign(ctx, db, "party", bson.M{
		"status":          "pending",
		"audience":        bson.M{"contacts": bson.A{ada, grace}},
		"templateId":      "invitation",
		"templateVersion": 1,
	}); err != nil {
		return err
	}
	if err := untilSent(ctx, db, "party", 2); err != nil {
		return err
	}
	pushed, err := pushReply(ctx, db, "party:ada", "reply-1", "accept", "With pleasure")
	if err != nil {
		return err
	}
	fmt.Println("reply pushed:", pushed)
	if err := storeInbound(ctx, db, "reply-2", grace.Phone, "Who else comes?"); err != nil {
		return err
	}
	party, err := untilEnded(ctx, db, "party")
	if err != nil {
		return err
	}
	fmt.Println(complaintOf(party))
	if party != nil {
		fmt.Printf("%d messages sent, %d replies\n", party.Metrics.Messages.Sent, party.Metrics.Replied)
	}
	lines, err := outcomesOf(ctx, db, "party")
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Println(line)
	}

	if err := storeCampaign(ctx, db, "welcome", bson.M{"type": "triggered", "status": "pending", "flow": flow("sms")}); err != nil {
		return err
	}
	conversation, err := enroll(ctx, db, "signup-1", "welcome", ada)
	if err != nil {
		return err
	}
	fmt.Println("enrolled:", conversation)
	cancelled, err := cancel(ctx, db, "welcome")
	if err != nil {
		return err
	}
	fmt.Println("cancelled:", cancelled)

	if err := storeCampaign(ctx, db, "wrong", bson.M{
		"status":   "pending",
		"audience": bson.M{"contacts": bson.A{ada}},
		"flow":     flow("fax"),
	}); err != nil {
		return err
	}
	wrong, err := untilEnded(ctx, db, "wrong")
	if err != nil {
		return err
	}
	fmt.Println(complaintOf(wrong))
	return nil
}

func main() {
	ctx := context.Background()
	uri := cmp.Or(os.Getenv("MONGODB_URI"), "mongodb://127.0.0.1:27017/?replicaSet=rs0")
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Disconnect(ctx)
	if err := run(ctx, client.Database(cmp.Or(os.Getenv("MONGODB_DATABASE"), "communication_base"))); err != nil {
		log.Fatal(err)
	}
}
