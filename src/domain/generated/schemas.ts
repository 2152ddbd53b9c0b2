// Generated from schemas/*.json by `npm run generate`. Do not edit.

/** Every JSON Schema in one bundle; `collections` names the definition of each collection ("!": also a MongoDB validator). */
export const bundle: { definitions: Record<string, unknown> } = {
  "definitions": {
    "Counters": {
      "title": "Counters",
      "description": "One per campaign and member, folded into `metrics`.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "memberId": {
          "type": "string"
        },
        "pending": {
          "type": "integer"
        },
        "counts": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "updatedAt": {
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "campaignId",
        "memberId"
      ],
      "additionalProperties": false
    },
    "Run": {
      "title": "Run",
      "description": "Our own record of a campaign: what was pinned at the start, how far the audience is expanded, what is folded.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "tenant": {
          "type": "string"
        },
        "partition": {
          "type": "integer",
          "minimum": 0
        },
        "status": {
          "enum": [
            "scheduled",
            "running",
            "paused",
            "cancelled",
            "completed"
          ]
        },
        "settled": {
          "description": "true when nothing of the campaign is left to do.",
          "type": "boolean"
        },
        "priority": {
          "type": "integer",
          "minimum": 0,
          "maximum": 9
        },
        "flow": {
          "$ref": "#/definitions/Flow"
        },
        "variables": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "campaign": {
          "description": "What templates see as `campaign`.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "audience": {
          "type": "object",
          "tsType": "PinnedAudience"
        },
        "schedule": {
          "type": "object",
          "properties": {
            "startAt": {
              "bson": "date",
              "tsType": "Date"
            },
            "endAt": {
              "bson": "date",
              "tsType": "Date"
            }
          },
          "additionalProperties": false
        },
        "endTakenInAt": {
          "description": "When the `endAt` of its schedule was taken in, if that was while it ran; where the end before it had come already, that end. Absent: it was known from the start.",
          "bson": "date",
          "tsType": "Date"
        },
        "unsubscribe": {
          "description": "How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.",
          "type": "object",
          "properties": {
            "url": {
              "description": "An https:// address.",
              "type": "string"
            },
            "mailto": {
              "description": "A mail address, with ?subject=… or not (RFC 6068).",
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "template": {
          "type": "object",
          "properties": {
            "id": {
              "type": "string"
            },
            "version": {
              "type": "integer"
            }
          },
          "additionalProperties": false
        },
        "expansion": {
          "type": "object",
          "tsType": "Expansion"
        },
        "collectionUuid": {
          "description": "UUID of the collection `campaigns` in which its document was last seen: one that was dropped and made again has another.",
          "type": "string"
        },
        "wake": {
          "description": "Raised by every commit that inserts conversations.",
          "type": "integer",
          "minimum": 0
        },
        "metrics": {
          "type": "object",
          "tsType": "Metrics"
        },
        "endReason": {
          "enum": [
            "campaign_ended",
            "campaign_cancelled"
          ]
        },
        "pausedReason": {
          "type": "string"
        },
        "pauses": {
          "description": "When it was paused after its start, the newest 100; without `until` it still is.",
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "from": {
                "bson": "date",
                "tsType": "Date"
              },
              "until": {
                "bson": "date",
                "tsType": "Date"
              }
            },
            "required": [
              "from"
            ],
            "additionalProperties": true
          }
        },
        "createdAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "startedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "completedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "updatedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "trace": {
          "type": "object",
          "properties": {
            "traceparent": {
              "type": "string"
            }
          },
          "additionalProperties": false
        }
      },
      "required": [
        "_id",
        "partition",
        "status",
        "settled",
        "priority",
        "flow",
        "variables",
        "campaign",
        "audience",
        "expansion",
        "wake",
        "createdAt",
        "updatedAt"
      ],
      "additionalProperties": false
    },
    "CampaignDocument": {
      "title": "CampaignDocument",
      "description": "What to run. Written by other services; version, error, expansion, metrics, results, startedAt, completedAt and trace by us.",
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "tenant": {
          "type": "string",
          "maxLength": 128
        },
        "name": {
          "type": "string",
          "maxLength": 512
        },
        "topic": {
          "type": "string",
          "maxLength": 128
        },
        "type": {
          "enum": [
            "sequence",
            "broadcast"
          ]
        },
        "status": {
          "enum": [
            "draft",
            "pending",
            "scheduled",
            "running",
            "paused",
            "completed",
            "cancelled",
            "failed"
          ]
        },
        "priority": {
          "description": "0 to 9: weight when there is not enough capacity (weight = priority + 1).",
          "type": "integer",
          "minimum": 0,
          "maximum": 9
        },
        "transactional": {
          "type": "boolean"
        },
        "schedule": {
          "type": "object",
          "properties": {
            "startAt": {
              "bson": "date",
              "tsType": "Date"
            },
            "endAt": {
              "bson": "date",
              "tsType": "Date"
            }
          },
          "additionalProperties": false
        },
        "audience": {
          "type": "object",
          "properties": {
            "contacts": {
              "description": "Inline contacts; each is checked when the audience is expanded.",
              "type": "array",
              "items": {
                "tsType": "unknown"
              }
            },
            "collection": {
              "type": "string",
              "minLength": 1,
              "maxLength": 120
            },
            "filter": {
              "type": "object",
              "tsType": "Record<string, unknown>"
            },
            "map": {
              "type": "object",
              "description": "Contact field: `$path` of the source document, or a constant.",
              "additionalProperties": {
                "tsType": "unknown"
              }
            }
          },
          "additionalProperties": false,
          "oneOf": [
            {
              "required": [
                "contacts"
              ],
              "properties": {
                "collection": false,
                "filter": false,
                "map": false
              }
            },
            {
              "required": [
                "collection"
              ],
              "properties": {
                "contacts": false
              }
            }
          ],
          "tsType": "Audience"
        },
        "templateId": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128
        },
        "templateVersion": {
          "type": "integer",
          "minimum": 1
        },
        "flow": {
          "$ref": "#/definitions/Flow"
        },
        "variables": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "unsubscribe": {
          "description": "How to leave: becomes the headers of RFC 8058, and `unsubscribe.url` and `unsubscribe.mailto` in templates of content. Both are Liquid, over what content sees and `token`, which names the conversation.",
          "type": "object",
          "properties": {
            "url": {
              "description": "An https:// address.",
              "type": "string"
            },
            "mailto": {
              "description": "A mail address, with ?subject=… or not (RFC 6068).",
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "version": {
          "type": "integer",
          "minimum": 0
        },
        "error": {
          "type": "object",
          "properties": {
            "code": {
              "type": "string"
            },
            "message": {
              "type": "string"
            },
            "path": {
              "type": "string"
            }
          },
          "required": [
            "code",
            "message"
          ],
          "additionalProperties": true
        },
        "expansion": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "metrics": {
          "type": "object",
          "tsType": "Metrics"
        },
        "results": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "startedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "completedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "trace": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        }
      },
      "required": [
        "_id",
        "status",
        "audience"
      ],
      "additionalProperties": true
    },
    "Contact": {
      "title": "Contact",
      "description": "One person of an audience. `id` is unique in a campaign.",
      "type": "object",
      "properties": {
        "id": {
          "description": "String of up to 128 bytes, number or ObjectId.",
          "bson": "id",
          "tsType": "Id"
        },
        "email": {
          "type": "string",
          "maxLength": 320
        },
        "phone": {
          "type": "string",
          "maxLength": 64
        },
        "whatsapp": {
          "type": "string",
          "maxLength": 64
        },
        "url": {
          "type": "string",
          "maxLength": 2048
        },
        "name": {
          "type": "string",
          "maxLength": 512
        },
        "locale": {
          "type": "string",
          "maxLength": 64
        },
        "timezone": {
          "type": "string",
          "maxLength": 64
        },
        "country": {
          "type": "string",
          "maxLength": 64
        },
        "attributes": {
          "description": "Anything the templates use.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        }
      },
      "required": [
        "id"
      ],
      "additionalProperties": false
    },
    "Conversation": {
      "title": "Conversation",
      "description": "One per campaign and contact. Written by us; others only $push to `inbox`.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "tenant": {
          "type": "string"
        },
        "contact": {
          "$ref": "#/definitions/Contact"
        },
        "partition": {
          "type": "integer",
          "minimum": 0
        },
        "version": {
          "description": "+1 at every write of ours; absent from others' pushes.",
          "type": "integer",
          "minimum": 0
        },
        "status": {
          "enum": [
            "active",
            "completed",
            "escalated",
            "failed",
            "suppressed",
            "cancelled"
          ]
        },
        "stage": {
          "description": "The stage it is in.",
          "type": "string"
        },
        "step": {
          "description": "What comes next in the stage: 0 its message, n its n-th follow-up, one more than there are follow-ups: the end of its silence.",
          "type": "integer",
          "minimum": 0
        },
        "nextActionAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "nextChannel": {
          "type": "string"
        },
        "opening": {
          "description": "true until its first action; gives what continues a conversation a share of its own.",
          "const": true
        },
        "delayed": {
          "enum": [
            "retry"
          ]
        },
        "sequence": {
          "type": "integer",
          "minimum": 0
        },
        "awaiting": {
          "type": "string"
        },
        "addresses": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "outcome": {
          "type": "string"
        },
        "repliedAt": {
          "description": "First reply of a person.",
          "bson": "date",
          "tsType": "Date"
        },
        "reason": {
          "type": "string"
        },
        "variant": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "variables": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "error": {
          "type": "object",
          "properties": {
            "code": {
              "type": "string"
            },
            "message": {
              "type": "string"
            },
            "path": {
              "type": "string"
            }
          },
          "required": [
            "code",
            "message"
          ],
          "additionalProperties": true
        },
        "inbox": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "id": {
                "type": "string"
              },
              "type": {
                "type": "string"
              },
              "channel": {
                "type": "string"
              },
              "text": {
                "type": "string"
              },
              "at": {
                "bson": "date",
                "tsType": "Date"
              },
              "data": {
                "type": "object",
                "tsType": "Record<string, unknown>"
              },
              "auto": {
                "type": "boolean"
              },
              "machine": {
                "type": "boolean"
              }
            },
            "required": [
              "type"
            ],
            "additionalProperties": true,
            "title": "InboxEvent"
          }
        },
        "consumed": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "maxItems": 1000
        },
        "history": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "at": {
                "bson": "date",
                "tsType": "Date"
              },
              "stage": {
                "type": "string"
              },
              "event": {
                "type": "string"
              },
              "detail": {
                "type": "object",
                "tsType": "Record<string, unknown>"
              }
            },
            "required": [
              "at",
              "event"
            ],
            "additionalProperties": false,
            "title": "HistoryEntry"
          },
          "maxItems": 100
        },
        "trace": {
          "type": "object",
          "properties": {
            "traceparent": {
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "createdAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "updatedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "expireAt": {
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "campaignId",
        "contact",
        "partition",
        "version",
        "status",
        "stage",
        "step",
        "sequence",
        "inbox",
        "consumed",
        "history",
        "createdAt",
        "updatedAt"
      ],
      "additionalProperties": false
    },
    "DeadLetter": {
      "title": "DeadLetter",
      "description": "What could not be used, and why.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "collection": {
          "type": "string"
        },
        "documentId": {
          "tsType": "unknown"
        },
        "conversationId": {
          "type": "string"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "reason": {
          "type": "string"
        },
        "error": {
          "type": "object",
          "properties": {
            "code": {
              "type": "string"
            },
            "message": {
              "type": "string"
            },
            "path": {
              "type": "string"
            }
          },
          "required": [
            "code",
            "message"
          ],
          "additionalProperties": true
        },
        "document": {
          "tsType": "unknown"
        },
        "at": {
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "collection",
        "reason",
        "at"
      ],
      "additionalProperties": false
    },
    "Stage": {
      "type": "object",
      "required": [
        "type"
      ],
      "discriminator": {
        "propertyName": "type"
      },
      "oneOf": [
        {
          "$ref": "#/definitions/MessageStage"
        },
        {
          "$ref": "#/definitions/WaitStage"
        },
        {
          "$ref": "#/definitions/EndStage"
        }
      ],
      "tsType": "MessageStage | WaitStage | EndStage"
    },
    "MessageStage": {
      "title": "MessageStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "message"
        },
        "channel": {
          "description": "Name of a configured channel.",
          "type": "string"
        },
        "content": {
          "$ref": "#/definitions/Content"
        },
        "delay": {
          "description": "Time between entering the stage and its message.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "followUps": {
          "type": "array",
          "items": {
            "$ref": "#/definitions/FollowUp"
          },
          "maxItems": 50
        },
        "waitForReply": {
          "description": "How long to wait for a reply after the last message of the stage.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "on": {
          "type": "object",
          "description": "Where an event leads: reply, noReply, bounce, failed or a word of the author.",
          "additionalProperties": {
            "type": "string",
            "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
          }
        }
      },
      "required": [
        "id",
        "type",
        "channel",
        "content"
      ],
      "additionalProperties": false
    },
    "WaitStage": {
      "title": "WaitStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "wait"
        },
        "for": {
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        }
      },
      "required": [
        "id",
        "type",
        "for"
      ],
      "additionalProperties": false
    },
    "EndStage": {
      "title": "EndStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "end"
        },
        "outcome": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        }
      },
      "required": [
        "id",
        "type",
        "outcome"
      ],
      "additionalProperties": false
    },
    "FollowUp": {
      "title": "FollowUp",
      "type": "object",
      "properties": {
        "after": {
          "description": "Time of silence before this follow-up is sent.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "content": {
          "$ref": "#/definitions/Content"
        },
        "channel": {
          "type": "string"
        }
      },
      "required": [
        "after"
      ],
      "additionalProperties": false
    },
    "Content": {
      "title": "Content",
      "description": "Its strings are Liquid templates over `contact`, `variables`, `campaign` (`id`, `name`), `conversation` (`id`, `stage`, `step`, `sequence`) and, where the campaign has `unsubscribe`, `unsubscribe.url` and `unsubscribe.mailto`: the links of this conversation, for people to see.",
      "type": "object",
      "properties": {
        "subject": {
          "type": "string"
        },
        "text": {
          "type": "string"
        },
        "html": {
          "type": "string"
        },
        "body": {
          "description": "Any JSON value; its strings are Liquid templates.",
          "tsType": "unknown"
        },
        "attachments": {
          "type": "array",
          "items": {
            "type": "object",
            "tsType": "Record<string, unknown>"
          },
          "maxItems": 20
        },
        "locales": {
          "type": "object",
          "description": "Variants by BCP 47 tag; the longest tag that fits the contact's locale wins.",
          "additionalProperties": {
            "$ref": "#/definitions/ContentVariant"
          }
        }
      },
      "additionalProperties": false
    },
    "ContentVariant": {
      "title": "ContentVariant",
      "type": "object",
      "properties": {
        "subject": {
          "type": "string"
        },
        "text": {
          "type": "string"
        },
        "html": {
          "type": "string"
        },
        "body": {
          "tsType": "unknown"
        },
        "attachments": {
          "type": "array",
          "items": {
            "type": "object",
            "tsType": "Record<string, unknown>"
          },
          "maxItems": 20
        }
      },
      "additionalProperties": false
    },
    "Flow": {
      "title": "Flow",
      "description": "A graph of stages; the first is the entry.",
      "type": "object",
      "properties": {
        "stages": {
          "type": "array",
          "minItems": 1,
          "maxItems": 500,
          "items": {
            "$ref": "#/definitions/Stage"
          }
        }
      },
      "required": [
        "stages"
      ],
      "additionalProperties": false
    },
    "StreamPosition": {
      "title": "StreamPosition",
      "type": "object",
      "properties": {
        "token": {
          "description": "Resume token (`_data`); compares as a string.",
          "type": "string"
        },
        "replicaSet": {
          "description": "Identity of the replica set it belongs to.",
          "type": "string"
        },
        "filterVersion": {
          "type": "integer",
          "minimum": 0
        }
      },
      "required": [
        "token",
        "replicaSet",
        "filterVersion"
      ],
      "additionalProperties": false
    },
    "Member": {
      "title": "Member",
      "description": "One worker thread in the cluster.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "host": {
          "type": "string"
        },
        "thread": {
          "type": "integer",
          "minimum": 0
        },
        "sessionId": {
          "description": "lsid of the ledger's session (UUID).",
          "tsType": "unknown"
        },
        "beat": {
          "type": "integer",
          "minimum": 0
        },
        "position": {
          "$ref": "#/definitions/StreamPosition"
        },
        "filterVersion": {
          "type": "integer",
          "minimum": 0
        },
        "channels": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "version": {
          "type": "string"
        },
        "startedAt": {
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "host",
        "thread",
        "beat",
        "filterVersion",
        "channels",
        "version",
        "startedAt"
      ],
      "additionalProperties": false
    },
    "Message": {
      "title": "Message",
      "description": "Outbox and log of what went out. `_id` = `<conversationId>/<sequence>` is the idempotency key.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "conversationId": {
          "type": "string"
        },
        "partition": {
          "type": "integer",
          "minimum": 0
        },
        "stage": {
          "type": "string"
        },
        "step": {
          "type": "integer",
          "minimum": 0
        },
        "variant": {
          "type": "string"
        },
        "channel": {
          "type": "string"
        },
        "to": {
          "type": "string"
        },
        "content": {
          "type": "object",
          "tsType": "RenderedContent"
        },
        "status": {
          "enum": [
            "queued",
            "sending",
            "sent",
            "failed",
            "uncertain",
            "skipped",
            "delivered",
            "bounced"
          ]
        },
        "reason": {
          "enum": [
            "suppressed",
            "unsubscribed_topic",
            "provider_opted_out",
            "address_missing",
            "address_invalid",
            "not_allowed",
            "contact_invalid",
            "duplicate_contact",
            "duplicate_address",
            "hold_out",
            "frequency_cap",
            "window_expired",
            "late_skipped",
            "campaign_ended",
            "campaign_cancelled",
            "stopped",
            "superseded",
            "replied",
            "exit_condition",
            "session_closed",
            "template_variable_missing",
            "template_error",
            "content_empty",
            "provider_rejected",
            "retries_exhausted",
            "uncertain"
          ]
        },
        "attempts": {
          "type": "integer",
          "minimum": 0
        },
        "dueAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "pending": {
          "description": "true while queued or sending.",
          "const": true
        },
        "providerMessageId": {
          "type": "string"
        },
        "error": {
          "type": "object",
          "properties": {
            "code": {
              "type": "string"
            },
            "message": {
              "type": "string"
            },
            "path": {
              "type": "string"
            }
          },
          "required": [
            "code",
            "message"
          ],
          "additionalProperties": true
        },
        "queuedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "handedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "sentAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "deliveredAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "worker": {
          "type": "string"
        },
        "trace": {
          "type": "object",
          "properties": {
            "traceparent": {
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "expireAt": {
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "campaignId",
        "conversationId",
        "partition",
        "stage",
        "step",
        "channel",
        "status",
        "attempts",
        "dueAt",
        "queuedAt"
      ],
      "additionalProperties": false
    },
    "Partition": {
      "title": "Partition",
      "description": "A hash slice of the conversations.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "type": "integer",
          "minimum": 0
        },
        "owner": {
          "type": "string"
        },
        "position": {
          "$ref": "#/definitions/StreamPosition"
        }
      },
      "required": [
        "_id"
      ],
      "additionalProperties": false
    },
    "Setting": {
      "title": "Setting",
      "description": "`control`: the stop switch. `cluster`: what is fixed for all members.",
      "x-mongoValidator": true,
      "type": "object",
      "oneOf": [
        {
          "title": "ControlSetting",
          "type": "object",
          "properties": {
            "_id": {
              "const": "control"
            },
            "sending": {
              "enum": [
                "on",
                "stopped"
              ]
            }
          },
          "required": [
            "_id",
            "sending"
          ],
          "additionalProperties": false
        },
        {
          "title": "ClusterSetting",
          "type": "object",
          "properties": {
            "_id": {
              "const": "cluster"
            },
            "partitions": {
              "type": "integer",
              "minimum": 1,
              "maximum": 1024
            },
            "schemaVersion": {
              "type": "integer",
              "minimum": 0
            }
          },
          "required": [
            "_id",
            "partitions",
            "schemaVersion"
          ],
          "additionalProperties": false
        }
      ]
    },
    "Template": {
      "title": "Template",
      "description": "A flow under a name and a version. Never changed in place.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "object",
          "properties": {
            "id": {
              "type": "string",
              "minLength": 1,
              "maxLength": 128
            },
            "version": {
              "type": "integer",
              "minimum": 1
            }
          },
          "required": [
            "id",
            "version"
          ],
          "additionalProperties": false
        },
        "flow": {
          "$ref": "#/definitions/Flow"
        },
        "variables": {
          "description": "Defaults; the campaign's own variables win.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        }
      },
      "required": [
        "_id",
        "flow"
      ],
      "additionalProperties": true
    }
  }
};
export const collections = {
  "campaign_counters": "Counters",
  "campaign_runs": "Run!",
  "campaigns": "CampaignDocument",
  "conversation_states": "Conversation",
  "dead_letters": "DeadLetter!",
  "members": "Member!",
  "messages": "Message",
  "partitions": "Partition!",
  "settings": "Setting!",
  "templates": "Template"
} as const;
