"""JupyterHub for one server: real Unix users, a shared exchange, the course as a service of its own.

Installed by setup_hub.py beside hub.json, which holds the folders and ports. Runs as root: it starts each
person's server as that person.
"""

import grp
import os
import pwd
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from places import SETTINGS, Hub

c = get_config()  # noqa: F821
hub = Hub.load(Path(__file__).with_name(SETTINGS))
programs = hub.environment / "bin"


def jupyter_config(*kinds):
    """Folders with settings for some people only, which come before everyone's."""
    return os.pathsep.join(str(Path(hub.prefix, "etc", kind)) for kind in kinds)


# Everything listens on loopback. TLS is the business of a web server in front: README.md.
c.JupyterHub.bind_url = hub.url
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{hub.hub_port}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{hub.proxy_port}"
c.ConfigurableHTTPProxy.command = [str(hub.proxy / "node_modules/.bin/configurable-http-proxy")]
c.ConfigurableHTTPProxy.pid_file = f"{hub.state}/proxy.pid"
c.JupyterHub.db_url = f"sqlite:///{hub.state}/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = f"{hub.state}/cookie_secret"

# Who may log in: the members of two Unix groups, with their Unix passwords.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.open_sessions = False
c.PAMAuthenticator.allowed_groups = {hub.students, hub.instructors}


def unix_groups(user):
    """Those of the hub's two groups that `user` is in."""
    return [name for name in (hub.students, hub.instructors) if user in grp.getgrnam(name).gr_mem]


def runtime_folder(user):
    """The user's own folder (mode 700) for the sockets of kernels, made anew. Its path is short: a socket's
    has 107 characters at most, and a home's can be long."""
    folder = Path(hub.runtime, user)
    owner = pwd.getpwnam(user)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return str(folder)


def on_spawn(spawner):
    """The Unix groups decide, each time that a server starts, whose course is whose; instructors get the
    list of courses in JupyterLab."""
    groups = unix_groups(spawner.user.name)
    spawner.user.sync_groups(groups)
    spawner.environment["JUPYTER_RUNTIME_DIR"] = runtime_folder(spawner.user.name)
    if hub.instructors in groups:
        spawner.environment["JUPYTER_CONFIG_PATH"] = jupyter_config("instructors")


c.Spawner.pre_spawn_hook = on_spawn
c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [str(programs / "jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~"
c.JupyterHub.load_groups = {
    # The course's account asks the hub which courses are its own, like a person.
    hub.instructors: {"users": [*grp.getgrnam(hub.instructors).gr_mem, hub.account]},
    hub.students: {"users": list(grp.getgrnam(hub.students).gr_mem)},
}

c.JupyterHub.services = [
    {
        "name": hub.course,
        "url": f"http://127.0.0.1:{hub.course_port}",
        "user": hub.account,
        "cwd": str(hub.account_home),
        "command": [str(programs / "jupyterhub-singleuser"), "--ServerApp.default_url=/lab"],
        "environment": {
            "JUPYTERHUB_USER": hub.account,  # nbgrader asks the hub by this name
            "JUPYTER_CONFIG_PATH": jupyter_config("course"),
            "JUPYTER_RUNTIME_DIR": runtime_folder(hub.account),
        },
        "oauth_no_confirm": True,
    }
]
c.JupyterHub.load_roles = [
    {
        "name": hub.instructors,
        "groups": [hub.instructors],
        "scopes": [
            f"access:services!service={hub.course}",
            f"read:services!service={hub.course}",
            "list:services",
        ],
    },
    {"name": f"course-{hub.course}", "services": [hub.course], "scopes": ["read:users:groups"]},
    {
        # What the token in a person's server may do, no more than the person: besides what every server
        # needs, nbgrader asks for the person's groups, and the list of courses for the services.
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            "read:users:groups!user",
            f"read:services!service={hub.course}",
            "list:services",
        ],
    },
]
