// Generated from schemas/*.json by `npm run generate`. Do not edit.

/** Every JSON Schema in one bundle; `collections` names the definition of each collection ("!": also a MongoDB validator). */
export const bundle: { definitions: Record<string, unknown> } = {
  "definitions": {
    "CampaignAddress": {
      "title": "CampaignAddress",
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
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
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "from": {
          "bson": "date",
          "tsType": "Date"
        },
        "used": {
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
              "type": "object",
              "properties": {
                "policy": {
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
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
          "const": true
        },
        "endTakenInAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "unsubscribe": {
          "type": "object",
          "properties": {
            "url": {
              "type": "string"
            },
            "mailto": {
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "guard": {
          "type": "object",
          "properties": {
            "errorRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "bounceRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "complaintRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "over": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "limits": {
          "type": "object",
          "properties": {
            "perSecond": {
              "type": "number",
              "minimum": 0.000011574,
              "maximum": 1000000
            },
            "ramp": {
              "type": "array",
              "items": {
                "type": "string",
                "maxLength": 16
              },
              "minItems": 1,
              "maxItems": 400
            },
            "maxMessagesPerContact": {
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
                "type": "object",
                "properties": {
                  "sendWindow": {
                    "$ref": "#/definitions/SendWindowSource"
                  },
                  "late": {
                    "type": "object",
                    "properties": {
                      "policy": {
                        "enum": [
                          "send",
                          "skip",
                          "expire"
                        ]
                      },
                      "after": {
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
          "type": "object",
          "properties": {
            "number": {
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
          "bson": "id",
          "tsType": "Id"
        },
        "child": {
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "occurrences": {
          "type": "object",
          "properties": {
            "begun": {
              "type": "integer",
              "minimum": 0
            },
            "missed": {
              "type": "integer",
              "minimum": 0
            },
            "last": {
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
          "type": "string"
        },
        "wake": {
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
              "type": "object",
              "properties": {
                "policy": {
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
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
        "audience": {
          "type": "object",
          "properties": {
            "contacts": {
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
              "additionalProperties": {
                "tsType": "unknown"
              }
            },
            "mode": {
              "enum": [
                "snapshot",
                "live"
              ]
            },
            "dedupeBy": {
              "enum": [
                "id",
                "address"
              ]
            },
            "exclude": {
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
          "type": "object",
          "properties": {
            "url": {
              "type": "string"
            },
            "mailto": {
              "type": "string"
            }
          },
          "additionalProperties": false
        },
        "guard": {
          "type": "object",
          "properties": {
            "errorRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "bounceRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "complaintRate": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 1
            },
            "over": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "limits": {
          "type": "object",
          "properties": {
            "perSecond": {
              "type": "number",
              "minimum": 0.000011574,
              "maximum": 1000000
            },
            "ramp": {
              "type": "array",
              "items": {
                "type": "string",
                "maxLength": 16
              },
              "minItems": 1,
              "maxItems": 400
            },
            "maxMessagesPerContact": {
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
              "enum": [
                "skip",
                "delay"
              ]
            }
          },
          "additionalProperties": false
        },
        "parentId": {
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
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "migration": {
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
      "type": "object",
      "properties": {
        "id": {
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
          "type": "integer"
        },
        "sends": {
          "type": "array",
          "items": {
            "type": "object",
            "properties": {
              "id": {
                "type": "string"
              },
              "at": {
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
          "type": "string"
        },
        "step": {
          "type": "integer",
          "minimum": 0
        },
        "flowVersion": {
          "type": "integer",
          "minimum": 1
        },
        "migration": {
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
          "const": true
        },
        "fallback": {
          "const": true
        },
        "delayed": {
          "enum": [
            "retry",
            "window",
            "holiday",
            "zone",
            "cap",
            "warm_up",
            "rate"
          ]
        },
        "entries": {
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
        "event": {
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
          "type": "integer",
          "minimum": 0
        },
        "escalation": {
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
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "contact": {
          "$ref": "#/definitions/Contact"
        },
        "at": {
          "bson": "date",
          "tsType": "Date"
        },
        "handledAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "conversationId": {
          "type": "string"
        },
        "reason": {
          "enum": [
            "duplicate_contact",
            "contact_invalid",
            "campaign_ended",
            "campaign_cancelled",
            "not_allowed"
          ]
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
        "campaignId",
        "contact"
      ],
      "additionalProperties": true
    },
    "Escalation": {
      "title": "Escalation",
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
          "type": "string"
        },
        "reason": {
          "type": "string"
        },
        "status": {
          "enum": [
            "open",
            "resumed",
            "expired",
            "closed"
          ]
        },
        "expiresAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "transcript": {
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
          "type": "string"
        },
        "content": {
          "$ref": "#/definitions/Content"
        },
        "delay": {
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
        },
        "businessDays": {
          "type": "integer",
          "minimum": 1,
          "maximum": 366
        },
        "until": {
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
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "event": {
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "timeout": {
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "onTimeout": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "on": {
          "type": "object",
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
      "type": "object",
      "properties": {
        "channel": {
          "type": "string"
        },
        "after": {
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
        },
        "locales": {
          "type": "object",
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
          "type": "string",
          "format": "duration",
          "minLength": 3,
          "maxLength": 64
        },
        "onTimeout": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "on": {
          "type": "object",
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
          "type": "string"
        },
        "to": {
          "type": "string",
          "maxLength": 2048
        },
        "body": {
          "tsType": "unknown"
        },
        "keep": {
          "type": "boolean"
        },
        "on": {
          "type": "object",
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
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "weight": {
          "type": "number",
          "minimum": 0,
          "maximum": 1000000
        },
        "goto": {
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
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "when": {
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
      "properties": {
        "goto": {
          "type": "string",
          "pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"
        },
        "end": {
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
          "const": true
        }
      },
      "minProperties": 1,
      "maxProperties": 1,
      "additionalProperties": false
    },
    "Flow": {
      "title": "Flow",
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
      "type": "object",
      "properties": {
        "_id": {
          "bson": "id",
          "tsType": "Id"
        },
        "type": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128
        },
        "channel": {
          "type": "string",
          "minLength": 1,
          "maxLength": 64
        },
        "address": {
          "type": "string",
          "minLength": 1,
          "maxLength": 2048
        },
        "conversationId": {
          "type": "string",
          "minLength": 1
        },
        "providerMessageId": {
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
          "type": "boolean"
        },
        "machine": {
          "type": "boolean"
        },
        "handledAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "conversations": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "unmatched": {
          "const": true
        },
        "status": {
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
          "enum": [
            "open",
            "half_open"
          ]
        },
        "since": {
          "bson": "date",
          "tsType": "Date"
        },
        "until": {
          "bson": "date",
          "tsType": "Date"
        },
        "code": {
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
          "type": "string"
        },
        "replicaSet": {
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
          "const": true
        },
        "fallback": {
          "const": true
        },
        "gaveWay": {
          "const": true
        },
        "mayHaveLeft": {
          "const": true
        },
        "pressure": {
          "type": "string"
        },
        "ramp": {
          "bson": "date",
          "tsType": "Date"
        },
        "segments": {
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
          "bson": "date",
          "tsType": "Date"
        },
        "complainedAt": {
          "bson": "date",
          "tsType": "Date"
        },
        "replay": {
          "type": "object",
          "properties": {
            "at": {
              "bson": "date",
              "tsType": "Date"
            },
            "count": {
              "type": "integer",
              "minimum": 0
            },
            "alone": {
              "const": true
            },
            "refused": {
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
          "type": "string"
        },
        "replayedAs": {
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
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "rate": {
          "tsType": "string | number"
        },
        "burst": {
          "tsType": "number"
        },
        "tat": {
          "type": "number"
        },
        "inForce": {
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
      "type": "object",
      "properties": {
        "days": {
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
          "type": "string",
          "maxLength": 5
        },
        "to": {
          "type": "string",
          "maxLength": 5
        },
        "timezone": {
          "type": "string",
          "maxLength": 64
        },
        "fallbackTimezone": {
          "type": "string",
          "maxLength": 64
        },
        "onUnknownZone": {
          "enum": [
            "fallback",
            "hold",
            "fail"
          ]
        },
        "holidays": {
          "type": "array",
          "items": {
            "type": "string"
          },
          "maxItems": 1000
        },
        "holidayCountry": {
          "type": "string",
          "maxLength": 16
        },
        "preset": {
          "enum": [
            "quietHours"
          ]
        },
        "country": {
          "type": "string",
          "maxLength": 16
        }
      },
      "additionalProperties": false
    },
    "Setting": {
      "title": "Setting",
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
              "bson": "date",
              "tsType": "Date"
            },
            "by": {
              "type": "string"
            },
            "reason": {
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
      "x-mongoValidator": true,
      "type": "object",
      "properties": {
        "_id": {
          "type": "string"
        },
        "reason": {
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
          "const": true,
          "type": "boolean"
        },
        "campaignId": {
          "bson": "id",
          "tsType": "Id"
        },
        "at": {
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
          "type": "object",
          "tsType": "Record<string, unknown>"
        },
        "schedule": {
          "type": "object",
          "properties": {
            "sendWindow": {
              "$ref": "#/definitions/SendWindowSource"
            },
            "late": {
              "type": "object",
              "properties": {
                "policy": {
                  "enum": [
                    "send",
                    "skip",
                    "expire"
                  ]
                },
                "after": {
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
