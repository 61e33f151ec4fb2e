//! Whose a file is, by its name and the folders it lies in.

use std::path::{Path, PathBuf};

use crate::places::Os;
use crate::shape::Variables;
use crate::table::{Client, clients};

/// How texts of a client's file name variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// They name none: every text is meant as it stands.
    Literal,
    /// `${NAME}`, `${env:NAME}` and the like.
    Braces,
    /// `{env:NAME}` or `${{ secrets.NAME }}`.
    Other,
    /// `$NAME` and `${NAME}`, anywhere in a text.
    Shell,
}

/// What the place of a file says.
#[derive(Clone, Debug)]
pub struct Origin {
    pub client: &'static Client,
    /// The folder of the project the file belongs to; none for a user's own file.
    pub project: Option<PathBuf>,
}

/// Finds the client that has its settings in a file like this one; `None` where several might, or none.
#[must_use]
pub fn origin(path: &Path, home: Option<&Path>) -> Option<Origin> {
    let mut best: Option<(usize, Origin)> = None;
    for client in clients() {
        let of_project = client.project.iter().map(|template| (template, true));
        let of_user = [Os::Linux, Os::Mac, Os::Windows].into_iter().flat_map(|os| client.user.of(os)).map(|template| (template, false));
        for (template, is_project) in of_project.chain(of_user) {
            let tail = tail(template);
            if !path.ends_with(&tail) {
                continue;
            }
            let count = tail.components().count();
            if best.as_ref().is_some_and(|(known, _)| *known >= count) {
                continue;
            }
            let base = path.ancestors().nth(count).filter(|base| is_project && Some(*base) != home);
            best = Some((count, Origin { client, project: base.map(Path::to_owned) }));
        }
    }
    best.map(|(_, origin)| origin).or_else(|| by_name(path))
}

impl Client {
    /// Returns how texts of the file name variables.
    #[must_use]
    pub fn writing(&self) -> Writing {
        match self.variables() {
            Variables::None | Variables::Named => Writing::Literal,
            Variables::Braces | Variables::Env => Writing::Braces,
            Variables::BareEnv | Variables::Secrets => Writing::Other,
            Variables::Shell => Writing::Shell,
        }
    }
}

/// A copy that lies elsewhere: its name says enough where it is the name of no file of another writing.
fn by_name(path: &Path) -> Option<Origin> {
    let name = path.file_name()?.to_str()?;
    let has_it = |client: &&Client| {
        let user = [Os::Linux, Os::Mac, Os::Windows].into_iter().flat_map(|os| client.user.of(os));
        client.project.iter().chain(user).any(|template| template.rsplit('/').next() == Some(name))
    };
    let mut having = clients().filter(has_it);
    let first = having.next()?;
    having.all(|other| other.writing() == first.writing()).then_some(Origin { client: first, project: None })
}

/// The part of a place of the table that is the same for everybody.
fn tail(template: &str) -> PathBuf {
    let (base, rest) = match template.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        Some((word, rest)) => (word.split_once('|').map_or("", |(_, default)| default), rest),
        None => ("", template),
    };
    base.split('/').chain(rest.split('/')).filter(|part| !part.is_empty() && *part != "~").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str) -> String {
        match origin(Path::new(path), Some(Path::new("/home/me"))) {
            Some(Origin { client, project }) => {
                let project = project.map(|project| format!(" of {}", project.display())).unwrap_or_default();
                format!("{} {:?}{project}", client.id, client.writing())
            }
            None => "nobody's".to_owned(),
        }
    }

    #[test]
    fn the_place_of_a_file_says_whose_it_is_and_how_it_is_written() {
        assert_eq!(seen("/home/me/.cursor/mcp.json"), "cursor Braces");
        assert_eq!(seen("/srv/app/.cursor/mcp.json"), "cursor Braces of /srv/app");
        assert_eq!(seen("/srv/app/.vscode/mcp.json"), "vscode Braces of /srv/app");
        assert_eq!(seen("/home/me/.config/Code/User/mcp.json"), "vscode Braces");
        assert_eq!(seen("/home/me/.claude.json"), "claude-code Braces");
        assert_eq!(seen("/home/me/.codex/config.toml"), "codex Literal");
        assert_eq!(seen("/home/me/.gemini/settings.json"), "gemini-cli Shell");
        assert_eq!(seen("/home/me/.config/zed/settings.json"), "zed Literal");
        assert_eq!(seen("/srv/app/opencode.json"), "opencode Other of /srv/app");
        // A copy that has its name still, and files that could be anybody's.
        assert_eq!(seen("/tmp/claude_desktop_config.json"), "claude-desktop Literal");
        for path in ["/tmp/mcp.json", "/tmp/settings.json", "/tmp/servers.json", "/"] {
            assert_eq!(seen(path), "nobody's", "{path}");
        }
    }

    #[test]
    fn every_file_of_the_table_is_known_again() {
        for os in [Os::Linux, Os::Mac, Os::Windows] {
            let places = crate::Places::new(os, "/home/me", "/srv/app");
            for client in clients() {
                let of_project = client.files(crate::Scope::Project, &places);
                for file in client.files(crate::Scope::User, &places).into_iter().chain(of_project) {
                    let found = origin(&file, Some(Path::new("/home/me"))).map(|origin| origin.client.writing());
                    assert_eq!(found, Some(client.writing()), "{} {}", client.id, file.display());
                }
            }
        }
    }
}
