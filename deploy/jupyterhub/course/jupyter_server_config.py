"""The course account's own server."""

c = get_config()  # noqa: F821

# JupyterLab shows the formgrader in a frame. Only this server's pages may be framed, and only by itself.
c.ServerApp.tornado_settings = {"headers": {"Content-Security-Policy": "frame-ancestors 'self'"}}
