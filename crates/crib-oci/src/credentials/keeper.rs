//! Programs that keep logins: `docker-credential-NAME get` is told a registry and answers with a name and a password.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::{HUB_ADDRESS, Login};

/// How long a helper may take: some have a keyring opened by a person.
const WAIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// The name that stands for a token in the place of a password.
const TOKEN: &str = "<token>";

/// What one helper is asked with.
pub(super) struct Keeper<'a> {
    pub(super) name: &'a str,
    pub(super) env: &'a [(OsString, OsString)],
    pub(super) wait: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

impl<'a> Keeper<'a> {
    pub(super) const fn new(name: &'a str, env: &'a [(OsString, OsString)]) -> Self {
        Self { name, env, wait: WAIT }
    }

    /// Asks for the login at a registry; none where it has none. Why it does not answer never has its words in it.
    pub(super) async fn ask(&self, registry: &str) -> Result<Option<Login>, String> {
        let shown = format!("docker-credential-{}", crate::manifest::shown(self.name));
        let program = self.find().ok_or_else(|| format!("`{shown}`, which keeps the login, is not in the search path"))?;
        let failed = |error: std::io::Error| format!("`{shown}`, which keeps the login, cannot be asked: {error}");
        let mut command = Command::new(program);
        command.arg("get").env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        // What it complains of may have secrets in it, and is read by nobody.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let talk = async {
            if let Some(mut stdin) = stdin {
                let place = if registry == "docker.io" { HUB_ADDRESS } else { registry };
                // A helper that does not read has its reasons; it tells them by its status.
                drop(stdin.write_all(format!("{place}\n").as_bytes()).await);
            }
            let mut answer = Vec::new();
            if let Some(stdout) = stdout {
                stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
            }
            child.wait().await.map(|status| (status, answer))
        };
        let (status, answer) = match tokio::time::timeout(self.wait, talk).await {
            Ok(done) => done.map_err(failed)?,
            Err(_late) => return Err(format!("`{shown}`, which keeps the login, took longer than {} seconds", self.wait.as_secs())),
        };
        if !status.success() {
            // It says so, too, where it has none.
            return Ok(None);
        }
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_odd| format!("`{shown}` gave an answer that cannot be read"))?;
        Ok(answer.login())
    }

    fn find(&self) -> Option<PathBuf> {
        // It is a name, and no path to anywhere.
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        let is_fine = !self.name.is_empty() && self.name.len() <= 100 && self.name.chars().all(is_name);
        let path = self.env.iter().find(|(name, _)| name.eq_ignore_ascii_case("PATH")).filter(|_| is_fine)?;
        let file = format!("docker-credential-{}{}", self.name, std::env::consts::EXE_SUFFIX);
        std::env::split_paths(&path.1).filter(|folder| folder.is_absolute()).map(|folder| folder.join(&file)).find(|path| path.is_file())
    }
}

impl Answer {
    fn login(self) -> Option<Login> {
        if self.secret.is_empty() {
            return None;
        }
        Some(if self.username == TOKEN { Login::Refresh(self.secret) } else { Login::of_pair(&self.username, &self.secret) })
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    fn helper(folder: &Path, name: &str, script: &str) {
        let path = folder.join(format!("docker-credential-{name}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn a_helper_is_asked_within_a_time_and_its_words_are_told_to_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = format!("{}:/usr/bin:/bin", folder.path().display());
        let env = [(OsString::from("PATH"), OsString::from(path))];
        let ask =
            async |name: &str, registry: &str| Keeper { wait: Duration::from_secs(300), ..Keeper::new(name, &env) }.ask(registry).await;
        helper(folder.path(), "good", r#"read place; printf '{"ServerURL":"%s","Username":"ada","Secret":"%s"}' "$place" "$place""#);
        assert!(ask("good", "ghcr.io").await == Ok(Some(Login::of_pair("ada", "ghcr.io"))));
        assert!(ask("good", "docker.io").await == Ok(Some(Login::of_pair("ada", HUB_ADDRESS))));
        helper(folder.path(), "token", r#"echo '{"Username":"<token>","Secret":"refresh"}'"#);
        assert!(ask("token", "ghcr.io").await == Ok(Some(Login::Refresh("refresh".to_owned()))));
        helper(folder.path(), "none", "echo 'credentials not found in native keychain'; exit 1");
        assert!(ask("none", "ghcr.io").await == Ok(None));
        helper(folder.path(), "odd", "echo the secret; echo the secret >&2");
        let why = ask("odd", "ghcr.io").await.err().unwrap();
        assert!(why.contains("cannot be read") && !why.contains("the secret"), "{why}");
        helper(folder.path(), "flood", "yes '{\"Username\":'");
        assert!(!matches!(ask("flood", "ghcr.io").await, Ok(Some(_))));
        assert!(ask("absent", "ghcr.io").await.err().unwrap().contains("not in the search path"));
        assert!(ask("../bin/sh", "ghcr.io").await.is_err());
        helper(folder.path(), "slow", "exec sleep 1000");
        let slow = Keeper { wait: Duration::ZERO, ..Keeper::new("slow", &env) };
        assert!(slow.ask("ghcr.io").await.err().unwrap().contains("took longer"));
    }
}
