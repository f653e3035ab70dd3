# What students run, made in the student bundle's folder, where no answer is:
#   autograder bundle DIR
#   docker build -f deploy/kubernetes/student.Dockerfile --build-context deploy=deploy -t REGISTRY/attention-student:TAG DIR
FROM python:3.12-slim

# jupyterhub: of the major version that your chart's hub has. ngshare-exchange asks for an nbgrader that is long
# gone, so it is installed without what it asks for.
RUN pip install --no-cache-dir "jupyterhub>=5,<6" "nbgrader==0.9.6" rapidfuzz \
 && pip install --no-cache-dir --no-deps "ngshare-exchange==0.5.3"

COPY . /opt/course
RUN pip install --no-cache-dir "/opt/course[mpi]"

# Students fetch, validate and hand in: the buttons for instructors are off, as on the hub for one server.
COPY --from=deploy jupyterhub/everyone/jupyter_server_config.d/ /usr/local/etc/jupyter/jupyter_server_config.d/
COPY --from=deploy jupyterhub/everyone/labconfig/ /usr/local/etc/jupyter/labconfig/
COPY --from=deploy kubernetes/nbgrader_config.py /usr/local/etc/jupyter/nbgrader_config.py

RUN useradd --create-home --uid 1000 --gid 100 jovyan
USER 1000
WORKDIR /home/jovyan
CMD ["jupyterhub-singleuser"]
