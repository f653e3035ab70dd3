# ngshare as a service of the hub. With SQLAlchemy 2 it loses a released assignment without a word.
#   docker build -f deploy/kubernetes/exchange.Dockerfile -t REGISTRY/attention-exchange:TAG .
FROM python:3.11-slim
RUN pip install --no-cache-dir "ngshare==0.6.0" "sqlalchemy<2" "alembic<1.14"
USER 65535:65535
# the chart gives it its arguments
ENTRYPOINT ["python", "-m", "ngshare"]
