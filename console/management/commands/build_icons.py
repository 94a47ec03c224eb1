"""manage.py build_icons <folder of the npm package lucide-static>"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from console import icons


class Command(BaseCommand):
    help = "Write the console's icon sprite anew, after an icon was added or is no longer used."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("lucide", type=Path, help="node_modules/lucide-static")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            icons.SPRITE.write_text(icons.sprite(options["lucide"]))
        except FileNotFoundError as error:
            raise CommandError(f"There is no such icon or folder: {error.filename}") from error
        self.stdout.write(f"{len(icons.used())} icons")
