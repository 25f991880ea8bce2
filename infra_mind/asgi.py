"""The web process: Django over HTTP, the consumer over WebSockets."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "infra_mind.settings")
os.environ.setdefault("INFRA_MIND_ROLE", "web")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.routing import ProtocolTypeRouter

from infra_mind.bodies import bound_bodies
from infra_mind.head import without_body
from infra_mind.privacy import forget_secrets
from tasks_ui.live.routing import websocket

forget_secrets()
bound_bodies()

application = ProtocolTypeRouter({"http": without_body(http), "websocket": websocket})
