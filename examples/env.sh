# What the sandbox serves, and what a worker and the commands need to use it. Source it at the top of the checkout.
export MONGODB_URI='mongodb://127.0.0.1:27217/?replicaSet=rs0'
export HEALTH_PORT=8088

export CHANNEL_EMAIL_DRIVER=smtp
export CHANNEL_EMAIL_URL='smtp://127.0.0.1:2525?tls=none'
export CHANNEL_EMAIL_FROM='Ada at Compass <ada@compass.example>'
# a secret of your own, never changed later: it makes the token in unsubscribe links
export HASH_KEY='only for the sandbox'

export CHANNEL_SMS_DRIVER=http
export CHANNEL_SMS_URL='http://127.0.0.1:8085/messages'
# where the gateway reports what people answer
export REPLIES_URL='http://127.0.0.1:8086/replies'

communication-base() { node bin/communication-base.js "$@"; }
