"""A consumer as in Channels' tutorial: what is sent to the group goes to the client."""

import json
import os

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.layers import channel_layers
from channels.routing import ProtocolTypeRouter
from channels_redis.core import RedisChannelLayer
from django.conf import settings

if not settings.configured:
    settings.configure()

GROUP = "task"
layer = RedisChannelLayer(hosts=[os.environ["PEERS_REDIS_URL"]], capacity=1000)
channel_layers.set("default", layer)


class Consumer(AsyncWebsocketConsumer):
    async def connect(self):
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def task_event(self, message):
        await self.send(json.dumps({"n": message["n"]}))


application = ProtocolTypeRouter({"websocket": Consumer.as_asgi()})
