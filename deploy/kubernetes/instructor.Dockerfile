# What instructors run: what grading needs, and no answer. The private repository is cloned into the instructor's
# own volume, and installed from there (README.md). Made in the repository's folder:
#   docker build -f deploy/kubernetes/instructor.Dockerfile -t REGISTRY/attention-instructor:TAG .
FROM python:3.12-slim

RUN apt-get update && apt-get install -y --no-install-recommends git make && rm -rf /var/lib/apt/lists/*

COPY requirements.lock /tmp/
RUN pip install --no-cache-dir -r /tmp/requirements.lock "jupyterhub>=5,<6" rapidfuzz \
 && pip install --no-cache-dir --no-deps "ngshare-exchange==0.5.3"

# The formgrader runs on the instructor's own server, and may show itself in JupyterLab's frame.
COPY deploy/jupyterhub/course/jupyter_server_config.d/ /usr/local/etc/jupyter/jupyter_server_config.d/
COPY deploy/jupyterhub/course/labconfig/ /usr/local/etc/jupyter/labconfig/
COPY deploy/jupyterhub/course/jupyter_server_config.py /usr/local/etc/jupyter/
COPY deploy/kubernetes/nbgrader_config.py /usr/local/etc/jupyter/nbgrader_config.py

RUN useradd --create-home --uid 1000 --gid 100 jovyan
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
