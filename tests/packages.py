"""STIX packages as others write them: with prefixes, ids and an order of their own."""

from __future__ import annotations

NAMESPACES = {
    "stix": "http://stix.mitre.org/stix-1",
    "ind": "http://stix.mitre.org/Indicator-2",
    "cybox": "http://cybox.mitre.org/cybox-2",
    "D": "http://cybox.mitre.org/objects#DomainNameObject-1",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "example": "http://partner.example/ids",
}
TAXII_11 = "http://taxii.mitre.org/messages/taxii_xml_binding-1.1"
TAXII_10 = "http://taxii.mitre.org/messages/taxii_xml_binding-1"


def declared(*prefixes: str) -> str:
    return " ".join(f'xmlns:{prefix}="{NAMESPACES[prefix]}"' for prefix in prefixes)


def indicator(name: str) -> str:
    return (
        f'<stix:Indicator xsi:type="ind:IndicatorType" id="example:indicator-{name}"><ind:Observable><cybox:Object>'
        f'<cybox:Properties xsi:type="D:DomainNameObjectType" type="FQDN"><D:Value condition="Equals">{name}'
        "</D:Value></cybox:Properties></cybox:Object></ind:Observable></stix:Indicator>"
    )


def package(*names: str, version: str = "1.2", title: str = "A package", namespaces: str | None = None) -> bytes:
    """A valid package that names each of the domains; ``title`` is XML."""
    opening = declared(*NAMESPACES) if namespaces is None else namespaces
    indicators = "".join(indicator(name) for name in names)
    text = (
        f'<stix:STIX_Package {opening} id="example:package-{"-".join(names)}" version="{version}">'
        f"<stix:STIX_Header><stix:Title>{title}</stix:Title></stix:STIX_Header>"
        + (f"<stix:Indicators>{indicators}</stix:Indicators>" if names else "")
        + "</stix:STIX_Package>"
    )
    return text.encode()


def block_11(content: bytes, binding: str = "urn:stix.mitre.org:xml:1.2", message: str = "") -> bytes:
    told = f"<t:Message>{message}</t:Message>" if message else ""
    opening = f'<t:Content_Block><t:Content_Binding binding_id="{binding}"/><t:Content>'.encode()
    return opening + content + f"</t:Content>{told}</t:Content_Block>".encode()


def message_11(*blocks: bytes, to: tuple[str, ...] = (), namespaces: str = "", before: str = "") -> bytes:
    """An Inbox_Message of TAXII 1.1 around finished content blocks, with more ``namespaces`` declared on its root."""
    names = "".join(f"<t:Destination_Collection_Name>{name}</t:Destination_Collection_Name>" for name in to)
    opening = f'{before}<t:Inbox_Message xmlns:t="{TAXII_11}" {namespaces} message_id="1">{names}'.encode()
    return opening + b"".join(blocks) + b"</t:Inbox_Message>"


def message_10(*contents: bytes, binding: str = "urn:stix.mitre.org:xml:1.2") -> bytes:
    blocks = b"".join(
        f"<t:Content_Block><t:Content_Binding>{binding}</t:Content_Binding><t:Content>".encode()
        + content
        + b"</t:Content></t:Content_Block>"
        for content in contents
    )
    return f'<t:Inbox_Message xmlns:t="{TAXII_10}" message_id="1">'.encode() + blocks + b"</t:Inbox_Message>"
