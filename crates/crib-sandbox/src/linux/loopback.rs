//! The loopback interface of a new network namespace, which is down at first.

use std::io;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

/// `RTM_NEWLINK`, which changes a link that exists.
const NEW_LINK: u16 = 16;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const REQUEST_AND_ACK: u16 = 0x1 | 0x4;
/// `IFF_UP`.
const UP: u32 = 1;
/// The loopback interface is the first of every namespace.
const LOOPBACK: i32 = 1;
/// The answer to a request: `NLMSG_ERROR`, whose code is 0 for success.
const ACK_CODE_AT: usize = 16;

pub(super) fn raise() -> io::Result<()> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    sendto(&socket, &request(), SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut answer = [0_u8; 1024];
    let (read, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    let code = answer.get(..read).and_then(|answer| answer.get(ACK_CODE_AT..)).and_then(|code| code.first_chunk::<4>());
    match code.map(|code| i32::from_ne_bytes(*code)) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A `nlmsghdr` and an `ifinfomsg`.
fn request() -> Vec<u8> {
    let mut body = Vec::with_capacity(32);
    body.extend(32_u32.to_ne_bytes());
    body.extend(NEW_LINK.to_ne_bytes());
    body.extend(REQUEST_AND_ACK.to_ne_bytes());
    body.extend(1_u32.to_ne_bytes());
    body.extend(0_u32.to_ne_bytes());
    body.extend([0_u8; 4]);
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body
}
