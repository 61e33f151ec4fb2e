//! The arguments of `connect` and `doctor`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::TEMPLATE;

/// The usual name of our entry.
const NAME: &str = "toolcrib";

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib connect                                 every client that is installed, after asking
  toolcrib connect cursor codex --dry-run          show what would change
  toolcrib connect --list                          the clients that are known, and their state
  toolcrib connect --import                        bring the servers of your clients under Toolcrib
  toolcrib connect --import --from mcp.json        the servers of one file
  toolcrib connect --restore                       take the last change back, byte for byte
")]
#[command(group = clap::ArgGroup::new("what").args(["list", "print", "import", "remove", "restore"]))]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Connect {
    /// Clients, by id or name [default: those that are installed]
    #[arg(value_name = "CLIENT")]
    pub(crate) clients: Vec<String>,
    /// What other programs take clients by.
    #[arg(long = "client", short = 'a', alias = "agent", value_name = "CLIENT", hide = true)]
    pub(crate) named: Vec<String>,
    /// Print the clients and their state
    #[arg(long)]
    pub(crate) list: bool,
    /// Print the entries, to be put in by hand
    #[arg(long)]
    pub(crate) print: bool,
    /// Take the servers of the clients into our configuration
    #[arg(long)]
    pub(crate) import: bool,
    /// Take our entry out, whatever else has changed
    #[arg(long)]
    pub(crate) remove: bool,
    /// Take the last change back
    #[arg(long)]
    pub(crate) restore: bool,
    /// Show the change as a diff and make none
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// With --restore: also files that were changed since
    #[arg(long, requires = "restore")]
    pub(crate) force: bool,
    /// For you, or for all who work in this directory
    #[arg(long, value_enum, default_value_t)]
    pub(crate) scope: ScopeName,
    /// The same as --scope user
    #[arg(long, short, conflicts_with = "scope", hide = true)]
    pub(crate) global: bool,
    /// Let the client start a gateway of its own instead of using the running one
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Name of the entry
    #[arg(long, value_name = "NAME", default_value = NAME, value_parser = entry_name)]
    pub(crate) name: String,
    /// The gateway [default: http://127.0.0.1:8665]
    #[arg(long, value_name = "URL", env = "TOOLCRIB_URL")]
    pub(crate) url: Option<String>,
    /// Variable that holds the gateway's key; the key itself is never written
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) key_env: Option<String>,
    /// Do not run the clients to see whether they connect
    #[arg(long)]
    pub(crate) no_check: bool,
    /// With --import: servers of npx and uvx become packages in the sandbox [default: ask, else so]
    #[arg(long, requires = "import", conflicts_with = "no_confine")]
    pub(crate) confine: bool,
    /// With --import: they stay commands, which nothing confines
    #[arg(long, requires = "import")]
    pub(crate) no_confine: bool,
    /// With --import: take the servers of this file, and not those of the clients
    #[arg(long, value_name = "FILE", requires = "import", conflicts_with_all = ["clients", "named", "scope", "global"], value_hint = ValueHint::FilePath)]
    pub(crate) from: Option<PathBuf>,
    /// With --import: the configuration to write [default: ~/.config/toolcrib/config.yaml]
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

impl Connect {
    /// What `connect` does with these clients when nothing else is said.
    pub(crate) fn plain(clients: Vec<String>, url: Option<String>) -> Self {
        Self {
            clients,
            named: Vec::new(),
            list: false,
            print: false,
            import: false,
            remove: false,
            restore: false,
            dry_run: false,
            yes: true,
            force: false,
            scope: ScopeName::User,
            global: false,
            stdio: false,
            name: NAME.to_owned(),
            url,
            key_env: None,
            no_check: true,
            confine: false,
            no_confine: false,
            from: None,
            config: None,
        }
    }
}

/// For whom an entry holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeName {
    #[default]
    User,
    Project,
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib doctor                                  look for problems; exit status 8 if any
  toolcrib doctor --fix                            repair entries, packages and files
")]
pub(crate) struct Doctor {
    /// Repair what can be repaired
    #[arg(long)]
    pub(crate) fix: bool,
    /// Build this package, or run its install script, in a sandbox, without asking
    #[arg(long, value_name = "PACKAGE", requires = "fix")]
    pub(crate) build: Vec<String>,
    /// Let that build reach a host: github.com, *.example.com; `*` for every host
    #[arg(long, value_name = "HOST", requires = "build")]
    pub(crate) build_net: Vec<String>,
    /// Do not start packages to see whether they do
    #[arg(long)]
    pub(crate) no_start: bool,
    /// The gateway [default: http://127.0.0.1:8665]
    #[arg(long, value_name = "URL", env = "TOOLCRIB_URL")]
    pub(crate) url: Option<String>,
}

fn entry_name(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() <= 40;
    if is_plain && fits { Ok(text.to_owned()) } else { Err("a name has up to 40 letters, digits, `-` and `_`, a letter first".to_owned()) }
}
