//! Addresses that no server has by right: link-local ones, and those where clouds hand out credentials.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not called unless somebody says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// Reaches whatever sits on the same wire, and in clouds the metadata service.
    LinkLocal,
    /// Hands out credentials of the machine to whoever asks.
    Metadata,
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata service",
        })
    }
}

/// Metadata services beyond the link-local addresses.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    // Alibaba Cloud.
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle Cloud, older shapes.
    Ipv4Addr::new(192, 0, 0, 192),
    // Azure's host, which also hands out settings and certificates.
    Ipv4Addr::new(168, 63, 129, 16),
];
/// Names that mean the metadata service inside a cloud.
const METADATA_NAMES: [&str; 6] =
    ["metadata.google.internal", "metadata.goog", "metadata", "instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com"];

/// Tells why the host of a URL is not to be called. Names are only compared: where they lead is known when they are
/// resolved, and [`guarded_address`] is for that moment.
#[must_use]
pub fn guarded_host(host: &str) -> Option<Guarded> {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    // A zone (`fe80::1%eth0`) names the wire, not the address.
    let bare = host.split('%').next().unwrap_or_default();
    if let Some(address) = bare.parse().ok().or_else(|| legacy_v4(&host).map(IpAddr::V4)) {
        return guarded_address(address);
    }
    METADATA_NAMES.contains(&host.as_str()).then_some(Guarded::Metadata)
}

/// Tells why an address is not to be called, however it is wrapped up.
#[must_use]
pub fn guarded_address(address: IpAddr) -> Option<Guarded> {
    match address {
        IpAddr::V4(v4) => guarded_v4(v4),
        IpAddr::V6(v6) => guarded_v6(v6).or_else(|| embedded(v6).into_iter().flatten().find_map(guarded_v4)),
    }
}

fn guarded_v4(address: Ipv4Addr) -> Option<Guarded> {
    if METADATA_V4.contains(&address) {
        return Some(Guarded::Metadata);
    }
    address.is_link_local().then_some(Guarded::LinkLocal)
}

fn guarded_v6(address: Ipv6Addr) -> Option<Guarded> {
    match address.segments() {
        // Amazon keeps its services in one block; Google has one address.
        [0xfd00, 0xec2, ..] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some(Guarded::Metadata),
        _ => address.is_unicast_link_local().then_some(Guarded::LinkLocal),
    }
}

/// The IPv4 addresses that an IPv6 address may lead to.
fn embedded(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // Mapped and compatible; NAT64 under the prefix everybody knows, and under local ones of 96 bits.
        [0, 0, 0, 0, 0, 0 | 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] => [Some(v4(a, b)), None],
        // NAT64 under local prefixes, which end after 48 or after 96 bits; the former leave out the bits 64 to 71.
        [0x64, 0xff9b, 1, a, b, c, d, e] => {
            let low = ((b & 0xff) << 8) | (c >> 8);
            [Some(v4(a, low)), Some(v4(d, e))]
        }
        // 6to4.
        [0x2002, a, b, ..] => [Some(v4(a, b)), None],
        // Teredo: the server, and the client with every bit turned over.
        [0x2001, 0, a, b, _, _, c, d] => [Some(v4(a, b)), Some(v4(!c, !d))],
        _ => [None, None],
    }
}

/// Reads an IPv4 address as the C library does: one to four parts, decimal, octal (`0251`) or hexadecimal (`0xa9`),
/// the last of which fills what is left.
fn legacy_v4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, front) = parts.split_last()?;
    let left = 4_u32.checked_sub(u32::try_from(front.len()).ok()?).filter(|left| *left > 0)?;
    if front.iter().any(|part| *part > 0xff) || u64::from(*last) >> (8 * left) != 0 {
        return None;
    }
    let front = front.iter().fold(0_u64, |sum, part| (sum << 8) | u64::from(*part));
    let whole = (front << (8 * left)) | u64::from(*last);
    u32::try_from(whole).ok().map(Ipv4Addr::from)
}

fn number(text: &str) -> Option<u32> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        // `0x` alone is zero there.
        return if hex.is_empty() { Some(0) } else { u32::from_str_radix(hex, 16).ok() };
    }
    match text.strip_prefix('0') {
        Some("") | None => text.parse().ok(),
        Some(octal) => u32::from_str_radix(octal, 8).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_known_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "169.254.169.254.",
            "2852039166",
            "0xA9FEA9FE",
            "0xa9.0xfe.0xa9.0xfe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "169.16689662",
            "[::ffff:169.254.169.254]",
            "::ffff:a9fe:a9fe",
            "::a9fe:a9fe",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::1",
            "2001::5601:5601",
            "[fd00:ec2::254]",
            "fd00:ec2::23",
            "fd20:ce::254",
            "100.100.100.200",
            "168.63.129.16",
            "Metadata.Google.Internal.",
            "instance-data",
        ] {
            assert_eq!(guarded_host(host), Some(Guarded::Metadata), "{host}");
        }
    }

    #[test]
    fn link_local_addresses_are_guarded() {
        for host in ["169.254.0.1", "169.254.170.2", "[fe80::1]", "fe80::1%eth0", "febf::1", "::ffff:169.254.1.1"] {
            assert_eq!(guarded_host(host), Some(Guarded::LinkLocal), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_the_operators_business() {
        for host in [
            "127.0.0.1",
            "localhost",
            "::1",
            "10.0.0.7",
            "192.168.1.1",
            "0x7f.1",
            "fec0::1",
            "fd00::1",
            "8.8.8.8",
            "mcp.example.com",
            "metadata.example.com",
            "169.254.169.254.nip.io",
            "169.255.1.1",
            "999999999999",
            "1.2.3.4.5",
            "256.1.1.1",
            "",
        ] {
            assert_eq!(guarded_host(host), None, "{host}");
        }
    }

    #[test]
    fn numbers_are_read_as_the_c_library_reads_them() {
        assert_eq!(legacy_v4("0x7f.1"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(legacy_v4("017700000001"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(legacy_v4("4294967295"), Some(Ipv4Addr::BROADCAST));
        assert_eq!(legacy_v4("0"), Some(Ipv4Addr::UNSPECIFIED));
        for wrong in ["4294967296", "1.2.65536", "a.b", "1..2", "08", "0xg", "-1", "+1"] {
            assert_eq!(legacy_v4(wrong), None, "{wrong}");
        }
    }
}
