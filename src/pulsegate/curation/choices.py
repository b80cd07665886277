"""Which of MISP's warning lists block and which inform, unless the administrator says otherwise; each with the reason.

The yardstick is a mail gateway. A list blocks when its values as indicators would stop legitimate mail or mean nothing,
and hardly any attacker can be behind one. It informs when both kinds stand behind its values (clouds, hosting, file
sharing, shorteners, scanners), or when it is as wide as the million most popular sites. It is off when no indicator
type of ours could match, or when it is out of date.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Mode(StrEnum):
    BLOCK = "block"  # what the list covers is not served
    INFORM = "inform"  # it is served, and the hit is shown
    OFF = "off"  # the list is not even read


B, I, O = Mode.BLOCK, Mode.INFORM, Mode.OFF  # noqa: E741

_SCANNER = "a scanner of the whole internet: a nuisance, but nothing that mail comes from"
_CLOUD = "anybody rents hosts there"
_CDN = "a network in front of anybody's sites"
_RESERVED = "no address of the public internet"
_HASHES = "files that are on every machine"

TABLE: tuple[tuple[str, Mode, str], ...] = (
    ("akamai", I, _CDN),
    ("alexa", B, "the thousand most visited sites, the host itself only"),
    ("alphastrike-research-nt-scanning", I, _SCANNER),
    ("alphastrike-scanning", I, _SCANNER),
    ("amazon-aws", I, _CLOUD),
    ("apple", B, "Apple's own networks, its mail servers among them; nobody rents hosts there"),
    ("automated-malware-analysis", I, "names of sandboxes, matched as a part of any name"),
    ("bank-website", B, "banks' own domains: a block stops their mail; look-alikes are other domains"),
    ("bufferover-nt-scanning", I, _SCANNER),
    ("captive-portals", B, "hosts that devices ask whether they are online"),
    ("censys-scanning", I, _SCANNER),
    ("check-host-net", I, _SCANNER),
    ("cisco_top1000", B, "the thousand names most asked for, the host itself only"),
    ("cisco_top10k", I, "by DNS traffic, so what malware asks for often gets in"),
    ("cisco_top20k", I, "by DNS traffic, so what malware asks for often gets in"),
    ("cisco_top5k", I, "by DNS traffic, so what malware asks for often gets in"),
    ("cloudflare", I, _CDN),
    ("coalition-signals-intelligence-nt-scanning", I, _SCANNER),
    ("common-contact-emails", I, "abuse@ and security@ of any domain, phishers' own among them"),
    ("common-ioc-false-positive", B, "hashes of empty and trivial files that reports list by mistake"),
    ("covid", O, "of 2020, no longer kept up"),
    ("covid-19-cyber-threat-coalition-whitelist", O, "of 2020, no longer kept up"),
    ("covid-19-krassi-whitelist", O, "of 2020, no longer kept up"),
    ("crl-hostname", B, "without revocation lists no certificate can be checked (empty in this release)"),
    ("crl-ip", B, "without revocation lists no certificate can be checked (empty in this release)"),
    ("cybergreen-nt-scanning", I, _SCANNER),
    ("cyberresilience-nt-scanning", I, _SCANNER),
    ("cypex-nt-scanning", I, _SCANNER),
    ("dax30", B, "large companies' own domains: a block stops their mail"),
    ("digitalside", I, "clouds and file sharing with all below: anybody's content"),
    ("disposable-email", I, "mail addresses that anybody gets, matched as a part of any address"),
    ("dynamic-dns", I, "anybody gets a name below; good indicators are among them"),
    ("eicar.com", B, "the test virus: every gateway knows it"),
    ("empty-hashes", B, "the hash of no bytes at all: as an indicator it stops every empty file"),
    ("f6-nt-scanning", I, _SCANNER),
    ("fastly", I, _CDN),
    ("findip-host", I, "services that tell one's address; malware asks them too"),
    ("github", I, "GitHub's networks, with all of the cloud that its runners are in"),
    ("google", B, "Google's own domains, the name itself only"),
    ("google-chrome-crux-1million", O, "another million popular sites, and 20 MB: tranco says the same"),
    ("google-gcp", I, _CLOUD),
    ("google-gmail-sending-ips", B, "Gmail's mail servers: a block stops everybody's mail from there"),
    ("googlebot", I, "Google's crawler: no mail comes from there"),
    ("internet-census-nt-scanning", I, _SCANNER),
    ("intrinsec-nt-scanning", I, _SCANNER),
    ("ipinfo-nt-scanning", I, _SCANNER),
    ("ipip-nt-scanning", I, _SCANNER),
    ("ipv6-linklocal", B, _RESERVED),
    ("link-in-bio", I, "anybody's page of links"),
    ("lots-project", I, "trusted sites that attackers live on: well known, and often rightly listed"),
    ("majestic_million", B, "the ten thousand sites most linked to, the host itself only"),
    ("microsoft", B, "Microsoft's own domains, the name itself only"),
    ("microsoft-attack-simulator", B, "the administrator's own phishing exercises"),
    ("microsoft-azure", I, _CLOUD),
    ("microsoft-azure-appid", O, "application ids: no indicator type of OTX"),
    ("microsoft-azure-china", I, _CLOUD),
    ("microsoft-azure-germany", I, _CLOUD),
    ("microsoft-azure-us-gov", I, _CLOUD),
    ("microsoft-office365", B, "names of Office 365, the name itself only"),
    ("microsoft-office365-cn", B, "Exchange Online in China: a block stops everybody's mail from there"),
    ("microsoft-office365-ip", B, "Exchange Online: a block stops everybody's mail from there"),
    ("microsoft-win10-connection-endpoints", B, "what every Windows asks, updates among it; the name itself only"),
    ("modat-nt-scanning", I, _SCANNER),
    ("modat-scanner", I, _SCANNER),
    ("moz-top500", B, "the 500 sites most linked to, the host itself only"),
    ("mozilla-CA", B, "certificates that every browser trusts"),
    ("mozilla-IntermediateCA", B, "certificates that half the web is signed with"),
    ("multicast", B, _RESERVED),
    ("netsecscan-nt-scanning", I, _SCANNER),
    ("netsecscan-scanning", I, _SCANNER),
    ("nioc-filehash", B, _HASHES),
    ("onyphe-nt-scanning", I, _SCANNER),
    ("onyphe-scanner", I, _SCANNER),
    ("openai-gptbot", I, "a crawler in a cloud"),
    ("ovh-cluster", I, "shared hosting: many good sites and bad ones behind one address"),
    ("parking-domain", I, "parked domains: what was bad there is gone, and may come back"),
    ("parking-domain-ns", I, "name servers of parked domains"),
    ("phone_numbers", O, "telephone numbers: no indicator type of OTX, and its patterns match most addresses"),
    ("probethenet-nt-scanning", I, _SCANNER),
    (
        "public-dns-hostname",
        I,
        "hosts that once were resolvers, small companies' domains with all below",
    ),
    ("public-dns-v4", B, "resolvers that others ask: malware analysis lists them by mistake"),
    ("public-dns-v6", B, "resolvers that others ask: malware analysis lists them by mistake"),
    ("public-ipfs-gateways", I, "anybody's content"),
    ("rapid7-nt-scanning", I, _SCANNER),
    ("research-scanner-nt-scanning", I, _SCANNER),
    ("rfc1918", B, _RESERVED),
    ("rfc3849", B, _RESERVED),
    ("rfc5735", B, _RESERVED),
    ("rfc6598", B, _RESERVED),
    ("rfc6761", B, "names that are kept for documentation and reverse look-ups"),
    ("second-level-tlds", B, "suffixes below which strangers register, the suffix itself only"),
    ("security-provider-blogpost", I, "where reports stand; github.com with all below is among them"),
    ("shadowforce-nt-scanning", I, _SCANNER),
    ("shadowforce-scanning", I, _SCANNER),
    ("shadowserver", I, _SCANNER),
    ("shadowserver-nt-scanning", I, _SCANNER),
    ("shodan-nt-scanning", I, _SCANNER),
    ("shodan-scanning", I, _SCANNER),
    ("sinkholes", I, "taken over from attackers: who asks is infected"),
    ("skipa-nt-scanning", I, _SCANNER),
    ("smtp-receiving-ips", B, "mail servers of large providers: a block stops everybody's mail"),
    ("smtp-sending-ips", B, "mail servers of large providers: a block stops everybody's mail"),
    ("stackpath", I, _CDN),
    ("tenable-cloud-ipv4", I, _SCANNER),
    ("tenable-cloud-ipv6", I, _SCANNER),
    ("ti-falsepositives", B, "hashes that reports list by mistake"),
    ("tlds", B, "top-level domains themselves"),
    ("tranco", I, "a million sites: bad ones are among them"),
    ("tranco10k", B, "the ten thousand most visited sites, the host itself only"),
    ("umbrella-blockpage-hostname", B, "Cisco's block pages: where a gateway sends what it stops"),
    ("umbrella-blockpage-v4", B, "Cisco's block pages: where a gateway sends what it stops"),
    ("umbrella-blockpage-v6", B, "Cisco's block pages: where a gateway sends what it stops"),
    ("university_domains", B, "universities' own domains, the name itself only: a block stops their mail"),
    ("url-shortener", I, "anybody's links, with all below"),
    ("vpn-ipv4", I, "hosting of all kinds: known bad addresses are among them"),
    ("vpn-ipv6", I, "hosting of all kinds: known bad addresses are among them"),
    ("whats-my-ip", I, "services that tell one's address; malware asks them too"),
    ("wikimedia", I, "Wikimedia's proxies and its private networks"),
    ("zscaler", I, "where many companies' traffic comes from"),
)
DEFAULTS: Mapping[str, Mode] = {name: mode for name, mode, _ in TABLE}
