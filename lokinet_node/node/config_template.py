"""The schema as text for people: a new ini file, and the tables of docs/config.md."""

from __future__ import annotations

from lokinet_node.node.config_schema import SCHEMA, Key, Role, Support

_WRITTEN_OUT = {
    Role.CLIENT: {("network", "keyfile"): "identity.private"},
    Role.ROUTER: {("lokid", "enabled"): "0"},
}
"""Lines of a new file that are not comments, besides data-dir."""


def new_ini(role: Role, data_dir: str) -> str:
    """The text `lokinet --generate` writes: every supported key of the role, explained."""
    written = {("router", "data-dir"): data_dir} | _WRITTEN_OUT[role]
    lines = [f"# A Lokinet {role.name.lower()}. Lines that begin with # show the defaults."]
    for section, keys in SCHEMA.items():
        wanted = {
            name: key
            for name, key in keys.items()
            if key.support is Support.FULL and key.only in (None, role)
        }
        if not wanted:
            continue
        lines += ["", f"[{section}]" if section != "private-network" else f"#[{section}]"]
        for name, key in wanted.items():
            value = written.get((section, name))
            entry = f"#{name}={key.default}" if value is None else f"{name}={value}"
            lines += [f"# {key.meaning}", entry]
    return "\n".join(lines) + "\n"


def reference_table(section: str) -> str:
    """The markdown table of one section in docs/config.md."""
    lines = ["| key | default | for | meaning |", "|---|---|---|---|"]
    lines += [_row(name, key) for name, key in SCHEMA[section].items()]
    return "\n".join(lines) + "\n"


def _row(name: str, key: Key) -> str:
    default = f"`{key.default}`" if key.default else ""
    who = key.only.name.lower() if key.only else ""
    notes = [key.meaning] if key.meaning else []
    if key.repeated:
        notes.append("may be repeated")
    if key.support is not Support.FULL:
        notes.append(f"**{key.support.value}**")
    if key.harmless:
        values = " ".join(f"`{value}`" if value else "empty" for value in sorted(key.harmless))
        notes.append(f"accepted: {values}")
    return f"| `{name}` | {default} | {who} | {'; '.join(notes)} |"
