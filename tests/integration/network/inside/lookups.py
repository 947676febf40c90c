"""Ask the node's resolver with dig and kdig, over UDP and TCP; print what they printed.

lookups.py '[["localhost.loki", "A"], ...]'
→ [{"dig udp": text, "dig tcp": text, "kdig udp": text, "kdig tcp": text}, ...]
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SERVER = "127.3.2.1"
TRIES = ["+tries=1", "+time=20", "+noall", "+answer", "+authority"]
RETRIES = ["+retry=0", "+time=20", "+noall", "+header", "+answer", "+authority"]
COMMANDS = {
    # +notcp before the question: dig asks for ANY over TCP otherwise
    "dig udp": ["dig", f"@{SERVER}", *TRIES, "+comments", "+notcp", "+ignore"],
    "dig tcp": ["dig", f"@{SERVER}", *TRIES, "+comments", "+tcp"],
    "kdig udp": ["kdig", f"@{SERVER}", *RETRIES, "+notcp", "+ignore"],
    "kdig tcp": ["kdig", f"@{SERVER}", *RETRIES, "+tcp"],
}


def ask(command: list[str], name: str, qtype: str) -> str:
    """What the program prints about one question."""
    done = subprocess.run(
        [*command, "-q", name, "-t", qtype], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def main() -> None:
    questions = json.loads(sys.argv[1])
    with ThreadPoolExecutor(4) as pool:
        asked = [
            {which: pool.submit(ask, command, *question) for which, command in COMMANDS.items()}
            for question in questions
        ]
        print(json.dumps([{which: one.result() for which, one in row.items()} for row in asked]))


main()
