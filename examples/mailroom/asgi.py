import os

from channels.routing import ProtocolTypeRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailroom.settings")
http = get_asgi_application()

from tasks_ui.live.routing import websocket  # after Django is set up

application = ProtocolTypeRouter({"http": http, "websocket": websocket})
