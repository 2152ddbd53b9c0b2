// Generated from schemas/*.json by `npm run generate`. Do not edit.

/** Every JSON Schema in one bundle; `collections` names the definition of each collection ("!": also a MongoDB validator). */
export const bundle: { definitions: Record<string, unknown> } = {
  "definitions": {
    "CampaignAddress": {
      "title": "CampaignAddress",
      "description": "Addresses that are in a campaign with `audience.dedupeBy: \"address\"`, as long as its audience is expanded.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "description": "`<campaignId>|<hash of the contact field and the address in its normal form>`, the campaign's id as in conversation ids.",
          "type": "string"
        }
      },
      "required": [
        "_id"
      ],
      "additionalProperties": false
    },
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
        "unfolded": {
          "description": "true while something of it may not be in the `metrics` of a run that is settled. Always there while the run is open.",
          "const": true
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
    "CampaignRamp": {
      "title": "CampaignRamp",
      "description": "How much of the period of its ramp a campaign has used, over all members. `_id` is that of the campaign.",
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "from": {
          "description": "Begin of the period.",
          "bson": "date",
          "tsType": "Date"
        },
        "used": {
          "description": "Messages that leave in it.",
          "type": "integer"
        }
      },
      "required": [
        "_id",
        "from",
        "used"
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
        "reentry": {
          "type": "object",
          "properties": {
            "policy": {
              "enum": [
                "afterEnd",
                "after"
              ]
            },
            "after": {
              "type": "string"
            }
          },
          "required": [
            "policy"
          ],
          "additionalProperties": false
        },
        "exitWhen": {
          "type": "object",
          "tsType": "Record<string, unknown>"
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
            },
            "sendWindow": {
              "$ref": "#/definitions/SendWindowSource"
            },
            "late": {
              "description": "What becomes of a message that came due long ago, in an outage or a pause.",
              "type": "object",
              "properties": {
                "policy": {
                  "description": "`skip`: that message; `expire`: the conversation ends. `send` without it.",
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
                  "description": "Only what came due longer ago is late; PT6H without it.",
                  "type": "string",
                  "format": "duration",
                  "minLength": 3,
                  "maxLength": 64
                }
              },
              "additionalProperties": false
            },
            "recurrence": {
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "transactional": {
          "description": "true: outside send windows. Absent otherwise.",
          "const": true
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
        "guard": {
          "description": "As its campaign has it; may change while it runs.",
          "type": "object",
          "properties": {
            "errorRate": {
              "description": "Of messages that failed for good at their provider, or whose tries are exhausted.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "bounceRate": {
              "description": "Of messages that bounced, or that their provider says later have failed.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "complaintRate": {
              "description": "Of messages that somebody complained about.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "over": {
              "description": "The newest so many answered messages, at least, are looked at; 200 without it. Before there are so many nothing is said.",
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "limits": {
          "description": "How many messages may leave. May change while the campaign runs.",
          "type": "object",
          "properties": {
            "ramp": {
              "description": "Warm-up: how many messages may leave in its first day (`50/d`) or hour (`5/h`), in the next one, and so on; the last entry holds from then on.",
              "type": "array",
              "items": {
                "type": "string",
                "maxLength": 16
              },
              "minItems": 1,
              "maxItems": 400
            },
            "maxMessagesPerContact": {
              "description": "No contact gets more than `count` messages in any span of `per` from all campaigns of the tenant that have such a limit.",
              "type": "object",
              "properties": {
                "count": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 100
                },
                "per": {
                  "type": "string",
                  "format": "duration",
                  "minLength": 3,
                  "maxLength": 64
                }
              },
              "required": [
                "count",
                "per"
              ],
              "additionalProperties": false
            },
            "onCap": {
              "description": "What becomes of a message that would be one too many for its contact: `skip` (as when absent) or `delay`.",
              "enum": [
                "skip",
                "delay"
              ]
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
        "flows": {
          "description": "Versions of the template that it was migrated to, each as it was pinned then. What was pinned at the start is `flow`, `variables` and `schedule`.",
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "version": {
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
              "schedule": {
                "description": "Its `sendWindow` and `late`; the rest of the schedule is the run's.",
                "type": "object",
                "properties": {
                  "sendWindow": {
                    "$ref": "#/definitions/SendWindowSource"
                  },
                  "late": {
                    "description": "What becomes of a message that came due long ago, in an outage or a pause.",
                    "type": "object",
                    "properties": {
                      "policy": {
                        "description": "`skip`: that message; `expire`: the conversation ends. `send` without it.",
                        "enum": [
                          "send",
                          "skip",
                          "expire"
                        ]
                      },
                      "after": {
                        "description": "Only what came due longer ago is late; PT6H without it.",
                        "type": "string",
                        "format": "duration",
                        "minLength": 3,
                        "maxLength": 64
                      }
                    },
                    "additionalProperties": false
                  }
                },
                "additionalProperties": false
              }
            },
            "required": [
              "version",
              "flow",
              "variables"
            ],
            "additionalProperties": false,
            "title": "PinnedVersion"
          }
        },
        "migration": {
          "description": "The last migration. Who enters from then on follows version `to`.",
          "type": "object",
          "properties": {
            "number": {
              "description": "1 for the first of the run.",
              "type": "integer",
              "minimum": 1
            },
            "from": {
              "type": "integer",
              "minimum": 1
            },
            "to": {
              "type": "integer",
              "minimum": 1
            },
            "startedAt": {
              "bson": "date",
              "tsType": "Date"
            },
            "left": {
              "description": "Partitions in which an active conversation may not have been asked yet.",
              "type": "array",
              "items": {
                "type": "integer",
                "minimum": 0
              }
            },
            "completedAt": {
              "bson": "date",
              "tsType": "Date"
            }
          },
          "required": [
            "number",
            "from",
            "to",
            "startedAt",
            "left"
          ],
          "additionalProperties": true,
          "title": "RunMigration"
        },
        "expansion": {
          "type": "object",
          "tsType": "Expansion"
        },
        "parentId": {
          "description": "Of an occurrence: the recurring campaign that it is one of.",
          "bson": "id",
          "tsType": "Id"
        },
        "child": {
          "description": "Of a recurring campaign: what its occurrences are made of beside what is pinned here by itself.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "occurrences": {
          "description": "Of a recurring campaign. Without `next` none is left.",
          "type": "object",
          "properties": {
            "begun": {
              "type": "integer",
              "minimum": 0
            },
            "missed": {
              "description": "Left out: a later one had come, too, when a worker could begin them.",
              "type": "integer",
              "minimum": 0
            },
            "last": {
              "description": "The occurrence that began last, as its recurrence says it.",
              "bson": "date",
              "tsType": "Date"
            },
            "next": {
              "bson": "date",
              "tsType": "Date"
            }
          },
          "required": [
            "begun",
            "missed"
          ],
          "additionalProperties": false
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
            },
            "parent": {
              "description": "The traceparent that the campaign's writer gave: the run's span is below it.",
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
      "description": "What to run. Written by other services; version, error, expansion, occurrences, migration, metrics, results, startedAt, completedAt and trace by us.",
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
            "broadcast",
            "recurring",
            "triggered"
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
            },
            "sendWindow": {
              "$ref": "#/definitions/SendWindowSource"
            },
            "late": {
              "description": "What becomes of a message that came due long ago, in an outage or a pause.",
              "type": "object",
              "properties": {
                "policy": {
                  "description": "`skip`: that message; `expire`: the conversation ends. `send` without it.",
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
                  "description": "Only what came due longer ago is late; PT6H without it.",
                  "type": "string",
                  "format": "duration",
                  "minLength": 3,
                  "maxLength": 64
                }
              },
              "additionalProperties": false
            },
            "recurrence": {
              "description": "When a campaign of type `recurring` occurs: DTSTART, RRULE, RDATE and EXDATE of RFC 5545.",
              "type": "string"
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
            },
            "mode": {
              "description": "`snapshot` (as when absent): who is there when the campaign is expanded. `live`: who joins later enters, too, until the campaign ends.",
              "enum": [
                "snapshot",
                "live"
              ]
            },
            "dedupeBy": {
              "description": "What no two contacts of the campaign may share. `address`: the address of the flow's first message, too; the second one is left out as duplicate_address.",
              "enum": [
                "id",
                "address"
              ]
            },
            "exclude": {
              "description": "Who is left out: contacts whose `id` is that of a document there. Looked at when a contact enters.",
              "type": "object",
              "properties": {
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
                  "description": "Where the contact's id is in those documents; `_id` when it does not say.",
                  "type": "object",
                  "properties": {
                    "id": {
                      "type": "string",
                      "pattern": "^\\$[^$.\\0]+(\\.[^$.\\0]+)*$"
                    }
                  },
                  "required": [
                    "id"
                  ],
                  "additionalProperties": false
                }
              },
              "required": [
                "collection"
              ],
              "additionalProperties": false
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
        "reentry": {
          "description": "Whether a contact may enter again, never while it is in the campaign: `never` (as when absent), `afterEnd`, or `after` so long since it entered last.",
          "type": "object",
          "properties": {
            "policy": {
              "enum": [
                "never",
                "afterEnd",
                "after"
              ]
            },
            "after": {
              "type": "string",
              "format": "duration"
            }
          },
          "required": [
            "policy"
          ],
          "additionalProperties": false
        },
        "exitWhen": {
          "description": "Whoever fits it leaves instead of getting the next message: a query over `contact`, as it is then, and `conversation`.",
          "type": "object",
          "tsType": "Record<string, unknown>"
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
        "migrate": {
          "description": "Asks for another version of its template, while it runs or is paused. We take the field away with the answer: `migration`, or an `error`.",
          "type": "object",
          "properties": {
            "toVersion": {
              "type": "integer",
              "minimum": 1
            }
          },
          "required": [
            "toVersion"
          ],
          "additionalProperties": false
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
        "guard": {
          "description": "When more than a share of its newest messages fail, bounce or are complained about, the campaign pauses itself and says so in `error`.",
          "type": "object",
          "properties": {
            "errorRate": {
              "description": "Of messages that failed for good at their provider, or whose tries are exhausted.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "bounceRate": {
              "description": "Of messages that bounced, or that their provider says later have failed.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "complaintRate": {
              "description": "Of messages that somebody complained about.",
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "over": {
              "description": "The newest so many answered messages, at least, are looked at; 200 without it. Before there are so many nothing is said.",
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "limits": {
          "description": "How many messages may leave. May change while the campaign runs.",
          "type": "object",
          "properties": {
            "ramp": {
              "description": "Warm-up: how many messages may leave in its first day (`50/d`) or hour (`5/h`), in the next one, and so on; the last entry holds from then on.",
              "type": "array",
              "items": {
                "type": "string",
                "maxLength": 16
              },
              "minItems": 1,
              "maxItems": 400
            },
            "maxMessagesPerContact": {
              "description": "No contact gets more than `count` messages in any span of `per` from all campaigns of the tenant that have such a limit.",
              "type": "object",
              "properties": {
                "count": {
                  "type": "integer",
                  "minimum": 1,
                  "maximum": 100
                },
                "per": {
                  "type": "string",
                  "format": "duration",
                  "minLength": 3,
                  "maxLength": 64
                }
              },
              "required": [
                "count",
                "per"
              ],
              "additionalProperties": false
            },
            "onCap": {
              "description": "What becomes of a message that would be one too many for its contact: `skip` (as when absent) or `delay`.",
              "enum": [
                "skip",
                "delay"
              ]
            }
          },
          "additionalProperties": false
        },
        "parentId": {
          "description": "Of an occurrence: the recurring campaign that it is one of.",
          "bson": "id",
          "tsType": "Id"
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
        "occurrences": {
          "description": "Of a recurring campaign, a copy of its run's: when the last one began and when the next one comes, how many have begun, how many were left out.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "migration": {
          "description": "The last migration: `from`, `to`, `startedAt`; once every active conversation was asked `completedAt`, how many `moved`, and how many `stayed`, by stage.",
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
        "status"
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
    "ContactPressure": {
      "title": "ContactPressure",
      "description": "What a contact was sent lately by campaigns with `limits.maxMessagesPerContact`. `_id` = `<tenant>:<contact id>`, both encoded as in the ids of conversations; without a tenant `:<contact id>`.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "tenant": {
          "type": "string"
        },
        "contactId": {
          "bson": "id",
          "tsType": "Id"
        },
        "version": {
          "description": "+1 at every write; the first is the time, so that a document which was removed and made again never passes for the one before.",
          "type": "integer"
        },
        "sends": {
          "description": "Messages that were decided within the longest span of a limit (93 days), the newest 200.",
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "id": {
                "description": "Of the message.",
                "type": "string"
              },
              "at": {
                "description": "When it was decided to send it, the last time it was tried.",
                "bson": "date",
                "tsType": "Date"
              }
            },
            "required": [
              "id",
              "at"
            ],
            "additionalProperties": false
          }
        },
        "expireAt": {
          "description": "When nothing of it counts any more.",
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "contactId",
        "version",
        "sends",
        "expireAt"
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
        "flowVersion": {
          "description": "The version of its campaign's template that it follows; absent: the one that was pinned at the start of the campaign.",
          "type": "integer",
          "minimum": 1
        },
        "migration": {
          "description": "Number of the last migration of its run that it was asked to follow, whether or not it could.",
          "type": "integer",
          "minimum": 1
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
        "fallback": {
          "description": "true once a message of its stage gave way to the fallback: what goes by the stage's channel goes by the fallback's.",
          "const": true
        },
        "delayed": {
          "description": "Why nextActionAt is later than the flow says. zone: the contact's time zone is not known. cap: its contact has had as many messages as the limit allows. warm_up: the ramp of the campaign has no room.",
          "enum": [
            "retry",
            "window",
            "holiday",
            "zone",
            "cap",
            "warm_up"
          ]
        },
        "entries": {
          "description": "Of a contact's first conversation: how many it has by now, from the second on.",
          "type": "integer",
          "minimum": 2
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
          "tsType": "Record<string, unknown>",
          "description": "By split stage."
        },
        "variables": {
          "type": "object",
          "tsType": "Record<string, unknown>",
          "description": "What it learnt, over the campaign's: answers of webhooks by stage."
        },
        "event": {
          "description": "The event that moved it last.",
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
            }
          },
          "required": [
            "type"
          ],
          "additionalProperties": true
        },
        "ledAfter": {
          "description": "`sequence` as it was when an event moved it last: what becomes of that message leads nowhere any more.",
          "type": "integer",
          "minimum": 0
        },
        "escalation": {
          "description": "`_id` of the open document in `escalations`.",
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
    "Enrollment": {
      "title": "Enrollment",
      "description": "One contact into a triggered campaign. Inserted by others; handledAt, conversationId, reason and error by us.",
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "campaignId": {
          "description": "A campaign of type `triggered`.",
          "bson": "id",
          "tsType": "Id"
        },
        "contact": {
          "$ref": "#/definitions/Contact"
        },
        "at": {
          "description": "When it happened: not ahead of now. Whoever comes first enters first, whatever it says.",
          "bson": "date",
          "tsType": "Date"
        },
        "handledAt": {
          "description": "When it was decided; absent while it waits.",
          "bson": "date",
          "tsType": "Date"
        },
        "conversationId": {
          "description": "The conversation it began.",
          "type": "string"
        },
        "reason": {
          "description": "Why it began none: duplicate_contact (the contact is in the campaign, and `reentry` does not let it in now), contact_invalid, campaign_ended, campaign_cancelled, not_allowed (see `error`).",
          "enum": [
            "duplicate_contact",
            "contact_invalid",
            "campaign_ended",
            "campaign_cancelled",
            "not_allowed"
          ]
        },
        "error": {
          "description": "What is wrong with it. Beside no handledAt: what it waits for.",
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
        }
      },
      "required": [
        "_id",
        "campaignId",
        "contact"
      ],
      "additionalProperties": true
    },
    "Escalation": {
      "title": "Escalation",
      "description": "A conversation that was handed to a person, who answers by an event `resume` in its inbox.",
      "type": "object",
      "properties": {
        "_id": {
          "description": "`<conversation id>/e<version>`",
          "type": "string"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "conversationId": {
          "type": "string"
        },
        "tenant": {
          "type": "string"
        },
        "contact": {
          "$ref": "#/definitions/Contact"
        },
        "stage": {
          "type": "string"
        },
        "to": {
          "description": "Who is asked.",
          "type": "string"
        },
        "reason": {
          "type": "string"
        },
        "status": {
          "description": "open: somebody is waited for; resumed: they gave it back; expired: nobody took it up in time; closed: the conversation ended otherwise.",
          "enum": [
            "open",
            "resumed",
            "expired",
            "closed"
          ]
        },
        "expiresAt": {
          "description": "When it goes on by itself.",
          "bson": "date",
          "tsType": "Date"
        },
        "transcript": {
          "description": "What was said so far, oldest first, the newest 100.",
          "type": "array",
          "maxItems": 100,
          "items": {
            "title": "TranscriptEntry",
            "type": "object",
            "properties": {
              "at": {
                "bson": "date",
                "tsType": "Date"
              },
              "from": {
                "enum": [
                  "us",
                  "contact"
                ]
              },
              "event": {
                "description": "Type of what came in.",
                "type": "string"
              },
              "channel": {
                "type": "string"
              },
              "messageId": {
                "type": "string"
              },
              "status": {
                "type": "string"
              },
              "subject": {
                "type": "string"
              },
              "text": {
                "type": "string"
              }
            },
            "required": [
              "at",
              "from"
            ],
            "additionalProperties": false
          }
        },
        "createdAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "endedAt": {
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
        "conversationId",
        "contact",
        "stage",
        "to",
        "status",
        "transcript",
        "createdAt"
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
          "$ref": "#/definitions/BranchStage"
        },
        {
          "$ref": "#/definitions/SplitStage"
        },
        {
          "$ref": "#/definitions/EscalateStage"
        },
        {
          "$ref": "#/definitions/WebhookStage"
        },
        {
          "$ref": "#/definitions/EndStage"
        }
      ],
      "tsType": "MessageStage | WaitStage | BranchStage | SplitStage | EscalateStage | WebhookStage | EndStage"
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
        "fallback": {
          "$ref": "#/definitions/Fallback"
        },
        "sendWindow": {
          "$ref": "#/definitions/SendWindowSource"
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
          "description": "How long it waits. Exactly one of `for`, `businessDays`, `until` and `event`.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "businessDays": {
          "description": "How many working days it waits: days on which the campaign's send window opens, Monday to Friday without one.",
          "type": "integer",
          "minimum": 1,
          "maximum": 366
        },
        "until": {
          "description": "A date, or `<path> + <duration>` over contact, variables and event, as in `contact.attributes.renewal - P7D`. What has passed already is not waited for.",
          "anyOf": [
            {
              "type": "string",
              "minLength": 1,
              "maxLength": 256
            },
            {
              "bson": "date"
            }
          ],
          "tsType": "string | Date"
        },
        "onMissing": {
          "description": "Where it goes on when there is no date to wait until; without it the conversation fails.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "event": {
          "description": "Type of the event that it waits for: then it goes on to the next stage.",
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "timeout": {
          "description": "How long it waits for the event; without it, for ever.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "onTimeout": {
          "description": "Where it goes on when the event has not come; the next stage without it.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
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
        "type"
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
    "Fallback": {
      "title": "Fallback",
      "description": "Where a message of the stage goes that its own channel cannot deliver: once, as the next message of the conversation.",
      "type": "object",
      "properties": {
        "channel": {
          "description": "Name of a configured channel, another than the stage's.",
          "type": "string"
        },
        "after": {
          "description": "It also takes the place of a message that its channel has not taken so long after it was due or, if that was later, decided.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "content": {
          "$ref": "#/definitions/Content"
        }
      },
      "required": [
        "channel"
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
      "description": "Its strings are Liquid templates over `contact`, `variables`, `campaign` (`id`, `name`), `conversation` (`id`, `stage`, `step`, `sequence`), `event` (the one that moved the conversation last) and, where the campaign has `unsubscribe`, `unsubscribe.url` and `unsubscribe.mailto`: the links of this conversation, for people to see.",
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
    "BranchStage": {
      "title": "BranchStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "branch"
        },
        "branches": {
          "type": "array",
          "minItems": 1,
          "maxItems": 50,
          "items": {
            "$ref": "#/definitions/Branch"
          }
        }
      },
      "required": [
        "id",
        "type",
        "branches"
      ],
      "additionalProperties": false
    },
    "SplitStage": {
      "title": "SplitStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "split"
        },
        "variants": {
          "type": "array",
          "minItems": 1,
          "maxItems": 20,
          "items": {
            "$ref": "#/definitions/SplitVariant"
          }
        }
      },
      "required": [
        "id",
        "type",
        "variants"
      ],
      "additionalProperties": false
    },
    "EscalateStage": {
      "title": "EscalateStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "escalate"
        },
        "to": {
          "description": "Who takes over: any word, for those who read `escalations`.",
          "type": "string",
          "minLength": 1,
          "maxLength": 256
        },
        "reason": {
          "type": "string",
          "maxLength": 1024
        },
        "notify": {
          "$ref": "#/definitions/Notification"
        },
        "after": {
          "description": "So long it waits for a person, then it goes on; without it the conversation counts as ended.",
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "onTimeout": {
          "description": "Where it goes on when nobody took it up; the next stage without it.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
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
        "to"
      ],
      "additionalProperties": false
    },
    "WebhookStage": {
      "title": "WebhookStage",
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "type": {
          "const": "webhook"
        },
        "channel": {
          "description": "Name of a configured channel of driver webhook or http.",
          "type": "string"
        },
        "to": {
          "description": "Liquid: the address, if the channel's own is not meant. Without it the contact's address on the channel, or the conversation's id.",
          "type": "string",
          "maxLength": 2048
        },
        "body": {
          "description": "Any JSON value; its strings are Liquid templates.",
          "tsType": "unknown"
        },
        "keep": {
          "description": "Keep the answer, a JSON object of 16 KB at most, as `variables.<id of the stage>`.",
          "type": "boolean"
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
        "body"
      ],
      "additionalProperties": false
    },
    "Branch": {
      "title": "Branch",
      "type": "object",
      "properties": {
        "when": {
          "description": "A MongoDB query over contact, variables, campaign, conversation and event; without it the branch is always taken.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "goto": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        }
      },
      "required": [
        "goto"
      ],
      "additionalProperties": false
    },
    "SplitVariant": {
      "title": "SplitVariant",
      "type": "object",
      "properties": {
        "variant": {
          "description": "Its name, in results and on messages.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "weight": {
          "description": "Share of the conversations, in proportion to the others'.",
          "type": "number",
          "minimum": 0,
          "maximum": 1000000
        },
        "goto": {
          "description": "Without it, it is a hold-out: the conversation ends as `hold_out`.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        }
      },
      "required": [
        "variant",
        "weight"
      ],
      "additionalProperties": false
    },
    "Notification": {
      "title": "Notification",
      "type": "object",
      "properties": {
        "channel": {
          "type": "string"
        },
        "to": {
          "description": "Liquid: who is notified.",
          "type": "string",
          "minLength": 1,
          "maxLength": 2048
        },
        "content": {
          "$ref": "#/definitions/Content"
        }
      },
      "required": [
        "channel",
        "to",
        "content"
      ],
      "additionalProperties": false
    },
    "Rule": {
      "title": "Rule",
      "type": "object",
      "properties": {
        "on": {
          "description": "Type of the event.",
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "when": {
          "description": "A MongoDB query, as of a branch.",
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "then": {
          "$ref": "#/definitions/RuleAction"
        }
      },
      "required": [
        "on",
        "then"
      ],
      "additionalProperties": false
    },
    "RuleAction": {
      "title": "RuleAction",
      "type": "object",
      "description": "Exactly one of them.",
      "properties": {
        "goto": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "end": {
          "description": "Ends the conversation as completed, with this outcome.",
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "escalate": {
          "title": "RuleEscalation",
          "type": "object",
          "properties": {
            "to": {
              "type": "string",
              "minLength": 1,
              "maxLength": 256
            },
            "reason": {
              "type": "string",
              "maxLength": 1024
            }
          },
          "required": [
            "to"
          ],
          "additionalProperties": false
        },
        "suppress": {
          "description": "The address is not written to any more.",
          "const": true
        }
      },
      "minProperties": 1,
      "maxProperties": 1,
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
        },
        "rules": {
          "description": "Looked at before the `on` of a stage, in this order; the first that fits is followed.",
          "type": "array",
          "maxItems": 100,
          "items": {
            "$ref": "#/definitions/Rule"
          }
        }
      },
      "required": [
        "stages"
      ],
      "additionalProperties": false
    },
    "InboundEvent": {
      "title": "InboundEvent",
      "description": "What others heard of an address or a message, without knowing the conversation. Written by others; how it was taken is ours.",
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "type": {
          "description": "reply, bounce, complaint, unsubscribe, delivered, opened, clicked, failed, or a word of the author.",
          "type": "string",
          "minLength": 1,
          "maxLength": 128
        },
        "channel": {
          "description": "Channel it came by; needed beside `address`.",
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "address": {
          "description": "Whose it is: a mail address or a phone number, in any usual form.",
          "type": "string",
          "minLength": 1,
          "maxLength": 2048
        },
        "conversationId": {
          "type": "string",
          "minLength": 1
        },
        "providerMessageId": {
          "description": "Of the message it is about, as its provider named it; one that is not known yet is tried again for a minute.",
          "type": "string",
          "minLength": 1,
          "maxLength": 1024
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
          "description": "An automatic answer (RFC 3834).",
          "type": "boolean"
        },
        "machine": {
          "description": "Made by a machine: moves nothing.",
          "type": "boolean"
        },
        "handledAt": {
          "description": "Ours: when it was moved, found to be nobody's, or failed.",
          "bson": "date",
          "tsType": "Date"
        },
        "conversations": {
          "description": "Ours: whose inbox it was moved to.",
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "unmatched": {
          "description": "Ours: no open conversation, or several contacts.",
          "const": true
        },
        "status": {
          "description": "Ours: it cannot be used; `error` says why.",
          "const": "failed"
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
        }
      },
      "required": [
        "_id",
        "type"
      ],
      "additionalProperties": true
    },
    "ChannelState": {
      "title": "ChannelState",
      "type": "object",
      "properties": {
        "state": {
          "description": "`open`: nothing is handed over. `half_open`: one message is tried.",
          "enum": [
            "open",
            "half_open"
          ]
        },
        "since": {
          "description": "When it opened.",
          "bson": "date",
          "tsType": "Date"
        },
        "until": {
          "description": "When one message is tried next.",
          "bson": "date",
          "tsType": "Date"
        },
        "code": {
          "description": "Of the last answer that opened it.",
          "type": "string"
        },
        "message": {
          "type": "string"
        }
      },
      "required": [
        "state",
        "since",
        "code",
        "message"
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
        "channelStates": {
          "description": "By name, channels that are left alone for a while because their provider fails or asks for it. One that works is not in it.",
          "type": "object",
          "additionalProperties": {
            "$ref": "#/definitions/ChannelState"
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
        "fallback": {
          "description": "true of one that leaves by the fallback of its stage.",
          "const": true
        },
        "gaveWay": {
          "description": "true of one that was tried, once the fallback of its stage took its place: another try would say the same twice.",
          "const": true
        },
        "mayHaveLeft": {
          "description": "true once nobody knows of a try whether it left: no fallback takes its place because it is late, and on a channel that delivers at most once it is tried again only if somebody takes that risk.",
          "const": true
        },
        "pressure": {
          "description": "The document of contact_pressure that counts it. Absent: none does, or no longer.",
          "type": "string"
        },
        "ramp": {
          "description": "Begin of the period of its campaign's ramp that counts it. Absent: there is no ramp, or it never left.",
          "bson": "date",
          "tsType": "Date"
        },
        "segments": {
          "description": "Parts that the text is as SMS, counted before it left. Only on channels that send SMS themselves (driver twilio).",
          "type": "integer",
          "minimum": 1
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
          "description": "The earliest of its receipts of that kind, as are the three that follow.",
          "bson": "date",
          "tsType": "Date"
        },
        "openedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "clickedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "bouncedAt": {
          "description": "It bounced, or its provider says that it failed after all.",
          "bson": "date",
          "tsType": "Date"
        },
        "complainedAt": {
          "description": "Somebody complained about it.",
          "bson": "date",
          "tsType": "Date"
        },
        "replay": {
          "description": "Somebody asked for another try after it had failed or become uncertain.",
          "type": "object",
          "properties": {
            "at": {
              "description": "When that was last decided.",
              "bson": "date",
              "tsType": "Date"
            },
            "count": {
              "description": "How often it was asked for.",
              "type": "integer",
              "minimum": 0
            },
            "alone": {
              "description": "Its conversation has ended, and stays so: only the row changes, and what it counts.",
              "const": true
            },
            "refused": {
              "description": "Why it got no other try.",
              "enum": [
                "campaign_cancelled",
                "campaign_ended",
                "moved_on",
                "busy",
                "sent_anew",
                "never_written",
                "may_have_left"
              ]
            }
          },
          "required": [
            "at",
            "count"
          ],
          "additionalProperties": false
        },
        "replayOf": {
          "description": "The message that is sent anew by this one, with a key of its own.",
          "type": "string"
        },
        "replayedAs": {
          "description": "The message by which this one was sent anew.",
          "type": "string"
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
    "RateLimitDocument": {
      "title": "RateLimitDocument",
      "description": "Slots of a limit that holds over all replicas. `_id` = `channel:<name>`. `rate` and `burst` are written by operators and go before the environment, at once; the rest is ours.",
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "rate": {
          "description": "Messages a second as a number, or as text: `100/s`, `30/m`, `5/h`, `1/d`.",
          "tsType": "string | number"
        },
        "burst": {
          "description": "Over any span T at most rate * T + burst messages leave. Default: what a second allows.",
          "tsType": "number"
        },
        "tat": {
          "description": "Theoretical arrival time (GCRA), ms since the epoch by the server's clock: when the next slot would be if none could come early.",
          "type": "number"
        },
        "inForce": {
          "description": "The limit by which slots were last given out.",
          "type": "object",
          "properties": {
            "perSecond": {
              "type": "number"
            },
            "burst": {
              "type": "number"
            }
          },
          "required": [
            "perSecond",
            "burst"
          ],
          "additionalProperties": false
        },
        "taken": {
          "description": "The slots that were last given out: how many, and when (ms since the epoch).",
          "type": "object",
          "properties": {
            "at": {
              "type": "number"
            },
            "count": {
              "type": "number"
            },
            "first": {
              "type": "number"
            }
          },
          "required": [
            "at",
            "count",
            "first"
          ],
          "additionalProperties": false
        }
      },
      "required": [
        "_id"
      ],
      "additionalProperties": false
    },
    "SendWindowSource": {
      "title": "SendWindowSource",
      "description": "When messages to a contact may leave; see docs/timing.md.",
      "type": "object",
      "properties": {
        "days": {
          "description": "The days it opens; every day without it.",
          "type": "array",
          "items": {
            "enum": [
              "sun",
              "mon",
              "tue",
              "wed",
              "thu",
              "fri",
              "sat"
            ]
          },
          "minItems": 1,
          "maxItems": 7
        },
        "from": {
          "description": "Local time at which it opens, `HH:MM`; 00:00 without it.",
          "type": "string",
          "maxLength": 5
        },
        "to": {
          "description": "Local time at which it closes; on the next day when it is before `from`. 24:00 without it.",
          "type": "string",
          "maxLength": 5
        },
        "timezone": {
          "description": "`contact`, or a zone of the tz database.",
          "type": "string",
          "maxLength": 64
        },
        "fallbackTimezone": {
          "description": "The zone of contacts without one, for `fallback`.",
          "type": "string",
          "maxLength": 64
        },
        "onUnknownZone": {
          "description": "What becomes of the messages of a contact without a known zone; `fallback` without it.",
          "enum": [
            "fallback",
            "hold",
            "fail"
          ]
        },
        "holidays": {
          "description": "Dates on which it does not open, `YYYY-MM-DD`.",
          "type": "array",
          "items": {
            "type": "string"
          },
          "maxItems": 1000
        },
        "holidayCountry": {
          "description": "Public holidays of a country or a part of it (ISO 3166), or `contact`.",
          "type": "string",
          "maxLength": 16
        },
        "preset": {
          "description": "The hours in which the law of a country lets marketing reach people.",
          "enum": [
            "quietHours"
          ]
        },
        "country": {
          "description": "Whose law holds for `quietHours`; `contact` without it.",
          "type": "string",
          "maxLength": 16
        }
      },
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
            },
            "at": {
              "description": "Since when it is so.",
              "bson": "date",
              "tsType": "Date"
            },
            "by": {
              "description": "Who said so: user and machine.",
              "type": "string"
            },
            "reason": {
              "description": "Why, in the words of whoever said so.",
              "type": "string"
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
            },
            "hashKeyCheck": {
              "description": "Tells HASH_KEY from another one, and nothing else.",
              "type": "string"
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
    "Suppression": {
      "title": "Suppression",
      "description": "Who must not be written to: `_id` = `<channel>:<topic or *>:<hash of the address>`. Written by us; others opt people out by `inbound_events`.",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "reason": {
          "description": "opt_out: a word such as STOP. unsubscribe, bounce, complaint: an event. provider_opted_out: its provider refuses messages to it. rule: a rule of a flow. manual: the command line. The strongest that was given.",
          "enum": [
            "opt_out",
            "unsubscribe",
            "bounce",
            "complaint",
            "provider_opted_out",
            "rule",
            "manual"
          ]
        },
        "willed": {
          "description": "Something else than a bounce was said of it, now or before: an opt-out, a complaint, a rule, a command. Without it, reason `bounce` is no will of anybody, and a fallback may write elsewhere. START takes it back from a bounce that stays. Absent in documents from before this field.",
          "const": true,
          "type": "boolean"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "at": {
          "description": "When it was said last.",
          "bson": "date",
          "tsType": "Date"
        }
      },
      "required": [
        "_id",
        "reason",
        "at"
      ],
      "additionalProperties": false
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
        },
        "schedule": {
          "description": "Defaults; what the campaign says itself wins, field by field.",
          "type": "object",
          "properties": {
            "sendWindow": {
              "$ref": "#/definitions/SendWindowSource"
            },
            "late": {
              "description": "What becomes of a message that came due long ago, in an outage or a pause.",
              "type": "object",
              "properties": {
                "policy": {
                  "description": "`skip`: that message; `expire`: the conversation ends. `send` without it.",
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
                  "description": "Only what came due longer ago is late; PT6H without it.",
                  "type": "string",
                  "format": "duration",
                  "minLength": 3,
                  "maxLength": 64
                }
              },
              "additionalProperties": false
            }
          },
          "additionalProperties": false
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
  "campaign_addresses": "CampaignAddress!",
  "campaign_counters": "Counters",
  "campaign_ramps": "CampaignRamp",
  "campaign_runs": "Run!",
  "campaigns": "CampaignDocument",
  "contact_pressure": "ContactPressure",
  "conversation_states": "Conversation",
  "dead_letters": "DeadLetter!",
  "enrollments": "Enrollment",
  "escalations": "Escalation",
  "inbound_events": "InboundEvent",
  "members": "Member!",
  "messages": "Message",
  "partitions": "Partition!",
  "rate_limits": "RateLimitDocument",
  "settings": "Setting!",
  "suppressions": "Suppression!",
  "templates": "Template"
} as const;
