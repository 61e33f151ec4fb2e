//! Which system calls may be made, by seccomp.
//!
//! Two filters: one allows what programs need and answers "not implemented" to the rest, so that libraries fall back to
//! older calls; the other refuses what is known to be dangerous, so that programs are told the truth.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

use crate::{Holds, Net, Promise, Report, Spec};

mod table;

/// `CLONE_NEW*`: every kind of namespace.
const NAMESPACES: u64 = 0x7E02_0080;
/// `TIOCSTI` and `TIOCLINUX`, which type into the terminal of another.
const TYPING: [u64; 2] = [0x5412, 0x541C];
/// `ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC` and the like are refused; asking and the usual are not.
const PERSONALITIES: [u64; 3] = [0, 0xFFFF_FFFF, 0x0002_0008];

#[derive(Debug, thiserror::Error)]
pub(super) enum Unfiltered {
    #[error("seccomp filters are not known for this processor: {0}")]
    Build(#[from] BackendError),
    #[error("seccomp: {0}")]
    Apply(#[from] Error),
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

pub(super) fn filter(spec: &Spec, has_own_net: bool) -> Result<(), Unfiltered> {
    let families = families(spec, has_own_net);
    let allowed = compile(allowed()?, SeccompAction::Errno(errno(libc::ENOSYS)), SeccompAction::Allow)?;
    let refused = compile(refused(&families)?, SeccompAction::Allow, SeccompAction::Errno(errno(libc::EPERM)))?;
    // Of two errors the kernel takes that of the later filter.
    apply_filter(&allowed)?;
    apply_filter(&refused)?;
    Ok(())
}

pub(super) fn report(filtered: &Result<(), std::io::Error>, report: &mut Report) {
    let holds = |by: &str| match filtered {
        Ok(()) => Holds::yes(by),
        Err(error) => Holds::no(error),
    };
    report.set(Promise::Ptrace, holds("seccomp"));
    report.set(Promise::Mounts, holds("seccomp and no capabilities"));
}

/// Address families of sockets that may be made.
fn families(spec: &Spec, has_own_net: bool) -> Vec<i32> {
    if has_own_net || spec.net == Net::All {
        // Netlink tells a program its addresses; in a namespace of its own there is nothing else to be told.
        return vec![libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    }
    Vec::new()
}

fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

fn compile(rules: Rules, otherwise: SeccompAction, matched: SeccompAction) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, otherwise, matched, std::env::consts::ARCH.try_into()?)?.try_into()
}

fn allowed() -> Result<Rules, BackendError> {
    let mut rules: Rules = table::ALLOWED.iter().map(|number| (*number, Vec::new())).collect();
    rules.extend(table::ALLOWED_HERE.iter().map(|number| (*number, Vec::new())));
    let mut kinds = Vec::new();
    for kind in PERSONALITIES {
        kinds.push(SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, kind)?])?);
    }
    rules.insert(libc::SYS_personality, kinds);
    Ok(rules)
}

fn refused(families: &[i32]) -> Result<Rules, BackendError> {
    let mut rules: Rules = table::REFUSED.iter().map(|number| (*number, Vec::new())).collect();
    let mut namespaces = Vec::new();
    for bit in (0..32).map(|shift| 1_u64 << shift).filter(|bit| NAMESPACES & bit != 0) {
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bit), bit)?;
        namespaces.push(SeccompRule::new(vec![condition])?);
    }
    rules.insert(libc::SYS_clone, namespaces);
    let mut typing = Vec::new();
    for request in TYPING {
        typing.push(SeccompRule::new(vec![SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request)?])?);
    }
    rules.insert(libc::SYS_ioctl, typing);
    let mut others = Vec::new();
    for family in families {
        let family = u64::from(family.unsigned_abs());
        others.push(SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, family)?);
    }
    // No condition at all refuses every socket.
    rules.insert(libc::SYS_socket, if others.is_empty() { Vec::new() } else { vec![SeccompRule::new(others)?] });
    Ok(rules)
}
