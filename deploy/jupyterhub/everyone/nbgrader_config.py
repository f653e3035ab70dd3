"""nbgrader for everyone on the hub: where the exchange is, and who is in which course."""

import json
import sys
from pathlib import Path

c = get_config()  # noqa: F821

hub = json.loads((Path(sys.prefix).parent / "hub.json").read_text())
c.CourseDirectory.course_id = hub["course"]
c.Exchange.root = hub["exchange"]
c.Exchange.path_includes_course = True
c.Authenticator.plugin_class = "nbgrader.auth.jupyterhub.JupyterHubAuthPlugin"
# `validate` runs a notebook in a kernel: like JupyterLab's, on sockets that are the person's own.
c.ConnectionFileMixin.transport = "ipc"
# What is handed in can be read by its owner and the course alone, and counts as its owner's.
c.ExchangeFactory.submit = "autograder.classroom.exchange.PrivateSubmit"
c.ExchangeFactory.collect = "autograder.classroom.exchange.OwnersCollect"
