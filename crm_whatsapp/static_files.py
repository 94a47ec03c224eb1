"""How static files are served: under names that change with their content, so that browsers keep them for good."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """In a module's `import` as well the hashed name stands, or a browser would go on with an old module."""

    support_js_module_import_aggregation = True
