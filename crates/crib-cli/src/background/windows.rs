//! A gateway in the background is started without a console that anybody sees.

use std::os::windows::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// `CREATE_NO_WINDOW`: a console of its own that is not shown. With none at all (`DETACHED_PROCESS`), every server would
/// open a window.
const NO_WINDOW: u32 = 0x0800_0000;
/// `CREATE_NEW_PROCESS_GROUP`: Ctrl-C of whoever started it is not for it.
const NEW_GROUP: u32 = 0x0000_0200;

/// It lies in the user's profile, where the system lets others not write.
pub(super) fn is_ours(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_file())
}

/// Has a gateway begin without the console of whoever starts it.
pub(super) fn let_go(command: &mut Command) -> &mut Command {
    command.creation_flags(NO_WINDOW | NEW_GROUP)
}

/// It has begun that way.
pub(crate) fn detach() {}
