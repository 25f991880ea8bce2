"""Flower shows, and changes nothing. Nor does it show the workers' settings: Celery masks some of
their secrets, but not passwords in URLs and nested settings (broker, mail, OpenID Connect).

Its "revoke" would report "Revoked" while the run goes on and ends as a success: Celery refuses a
message, and a run is more than its message. Runs are cancelled in Infra Mind, workers are stopped
where they were started.
"""

from flower import urls
from flower.inspector import Inspector
from tornado.web import RequestHandler

CHANGES = (
    r"/api/(?:worker/(?:shutdown|pool|queue)"
    r"|task/(?:apply|async-apply|send-task|abort|timeout|rate-limit|revoke))/.*"
)


class ReadOnly(RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.finish("Flower is read-only here. Cancel the run in Infra Mind.")

    def check_xsrf_cookie(self) -> None:
        """Nothing is done, so nobody has to prove that they meant it."""


Inspector.inspect_methods = tuple(each for each in Inspector.inspect_methods if each != "conf")
urls.handlers.insert(0, (CHANGES, ReadOnly))
