"""Settings of the bare server: Django with a database and nothing else."""

import os

import environ

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1"]
DATABASES = {"default": environ.Env().db_url_config(os.environ["DATABASE_URL"])}
# As the product's web process has it.
DATABASES["default"]["OPTIONS"] = {"connect_timeout": 5, "pool": {"min_size": 1, "max_size": 16, "timeout": 5}}
MIDDLEWARE: list[str] = []
INSTALLED_APPS: list[str] = []
ROOT_URLCONF = "bench.bare"
USE_TZ = True
