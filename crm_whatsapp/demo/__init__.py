"""The shop that `manage.py seed_demo` makes: some weeks of a busy optician's. Everybody in it is invented."""
