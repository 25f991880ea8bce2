from django.apps import AppConfig


class ProbeConfig(AppConfig):
    name = "tests.probe"
    label = "probe"

    def ready(self) -> None:
        import os

        from django.conf import settings

        from tests.probe import kinds, sabotage  # noqa: F401

        sabotage.install()

        if os.environ.get("LOSE_LAYER_MESSAGES"):
            settings.CHANNEL_LAYERS["default"]["BACKEND"] = "tests.probe.layers.LossyLayer"
        settings.TASKS_CANCEL_GRACE_S = 3  # tests wait for it, as for the lease in tests/servers.py
        # A slow hash is the point of password hashing, but not what the tests are about.
        if not os.environ.get("SLOW_HASHES"):
            settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
