//! git, the calculator and a database.

use std::{path::Path, process::Stdio};

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    Server,
    compare::{Table, equals_direct},
};

/// Commits of every world have one and the same hash.
const WHO_AND_WHEN: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "t"),
    ("GIT_AUTHOR_EMAIL", "t@example.com"),
    ("GIT_AUTHOR_DATE", "1767225600 +0000"),
    ("GIT_COMMITTER_NAME", "t"),
    ("GIT_COMMITTER_EMAIL", "t@example.com"),
    ("GIT_COMMITTER_DATE", "1767225600 +0000"),
];

fn repository(dir: &Path) -> Result<()> {
    let git = |args: &[&str]| -> Result<()> {
        let status = std::process::Command::new("git").args(args).current_dir(dir).envs(WHO_AND_WHEN).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "git {args:?}: {status}");
        Ok(())
    };
    git(&["init", "-q", "-b", "main"])?;
    std::fs::write(dir.join("a.txt"), "a\n")?;
    git(&["add", "."])?;
    git(&["commit", "-q", "-m", "first"])?;
    std::fs::write(dir.join("a.txt"), "a\nb\n")?;
    Ok(std::fs::write(dir.join("new.txt"), "加\n")?)
}

#[tokio::test]
async fn real_git_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real git",
        prepare: &repository,
        server: &|world| {
            let mut server = Server::pypi("py", "mcp-server-git", &["--repository", world])?;
            server.env = WHO_AND_WHEN.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Ok(server)
        },
        calls: &|repo| {
            vec![
                ("git_status", json!({ "repo_path": repo })),
                ("git_status", json!({ "repo_path": "/" })),
                ("git_diff_unstaged", json!({ "repo_path": repo })),
                ("git_add", json!({ "repo_path": repo, "files": ["a.txt", "new.txt"] })),
                ("git_add", json!({ "repo_path": repo, "files": ["none.txt"] })),
                ("git_diff_staged", json!({ "repo_path": repo, "context_lines": 1 })),
                ("git_reset", json!({ "repo_path": repo })),
                ("git_add", json!({ "repo_path": repo, "files": ["a.txt"] })),
                ("git_commit", json!({ "repo_path": repo, "message": "второй" })),
                ("git_log", json!({ "repo_path": repo, "max_count": 5 })),
                ("git_show", json!({ "repo_path": repo, "revision": "HEAD" })),
                ("git_show", json!({ "repo_path": repo, "revision": "nonsense" })),
                ("git_create_branch", json!({ "repo_path": repo, "branch_name": "side", "base_branch": null })),
                ("git_checkout", json!({ "repo_path": repo, "branch_name": "side" })),
                ("git_checkout", json!({ "repo_path": repo, "branch_name": "nonsense" })),
                ("git_branch", json!({ "repo_path": repo, "branch_type": "local" })),
                ("git_diff", json!({ "repo_path": repo, "target": "main" })),
                ("git_diff", json!({ "repo_path": repo, "target": "--output=/tmp/x" })),
            ]
        },
        uncalled: &[],
        unwilling: &[],
        tools: 12,
    })
    .await
}

#[tokio::test]
async fn real_calculator_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real calculator",
        prepare: &|_| Ok(()),
        server: &|_| Server::pypi("py1", "mcp-server-calculator", &[]),
        calls: &|_| {
            ["88 + 22", "2 ** 0.5", "1 / 0", "import os", "", "sqrt(-1)"]
                .iter()
                .map(|expression| ("calculate", json!({ "expression": expression })))
                .collect()
        },
        uncalled: &[],
        unwilling: &[],
        tools: 1,
    })
    .await
}

#[tokio::test]
async fn real_database_equals_direct() -> Result<()> {
    equals_direct(&Table {
        test: "real database",
        prepare: &|_| Ok(()),
        server: &|world| Server::pypi("py1", "mcp-server-sqlite", &["--db-path", &format!("{world}/shop.db")]),
        calls: &|_| {
            let query = |tool, query: &str| (tool, json!({ "query": query }));
            vec![
                ("list_tables", json!({})),
                query("create_table", "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INTEGER)"),
                query("create_table", "DROP TABLE users"),
                ("list_tables", json!({})),
                ("describe_table", json!({ "table_name": "users" })),
                ("describe_table", json!({ "table_name": "none" })),
                query("write_query", "INSERT INTO users (name, age) VALUES ('Ada', 36), ('林', 22)"),
                query("write_query", "UPDATE users SET age = 37 WHERE name = 'Ada'"),
                query("read_query", "SELECT id, name, age FROM users ORDER BY id"),
                query("write_query", "DELETE FROM users WHERE id = 2"),
                query("read_query", "SELECT count(*) AS n, avg(age) AS age FROM users"),
                query("read_query", "SELECT * FROM none"),
                query("read_query", "DELETE FROM users"),
                query("write_query", "SELECT 1"),
                ("read_query", json!({})),
                ("append_insight", json!({ "insight": "Ada is older" })),
            ]
        },
        uncalled: &[],
        unwilling: &[],
        tools: 6,
    })
    .await
}
