//! Grants of hosts.

use super::HostRule;
#[cfg(unix)]
use super::proxy::is_public;

#[track_caller]
fn covers(rule: &str, host: &str, port: u16) -> bool {
    rule.parse::<HostRule>().expect("a rule").covers(host, port)
}

#[test]
fn a_grant_covers_its_host_and_ports_and_no_others() {
    assert!(covers("api.example.com", "API.example.com.", 443));
    assert!(covers("api.example.com", "api.example.com", 80));
    assert!(!covers("api.example.com", "api.example.com", 22));
    assert!(!covers("api.example.com", "evil-api.example.com", 443));
    assert!(!covers("example.com", "api.example.com", 443));
    assert!(covers("*.example.com", "a.b.example.com", 443));
    assert!(!covers("*.example.com", "example.com", 443));
    assert!(!covers("*.example.com", "badexample.com", 443));
    assert!(covers("[::1]:8080", "::1", 8080));
    assert!(covers("127.0.0.1:5432", "127.0.0.1", 5432));
}

#[test]
fn what_is_not_a_host_is_no_grant() {
    for text in ["", "*", "*.com", "a b", "http://x", "x:99999", "a..b", "x/"] {
        assert!(text.parse::<HostRule>().is_err(), "{text}");
    }
}

#[test]
fn a_grant_is_written_as_it_is_read() {
    for text in ["api.example.com", "*.example.com:8443", "[::1]:80", "10.0.0.1"] {
        assert_eq!(text.parse::<HostRule>().expect("a rule").to_string(), text);
    }
}

#[cfg(unix)]
#[test]
fn addresses_of_this_machine_and_its_networks_are_not_public() {
    for text in [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
    ] {
        assert!(!is_public(text.parse().expect("an address")), "{text}");
    }
    for text in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"] {
        assert!(is_public(text.parse().expect("an address")), "{text}");
    }
}
