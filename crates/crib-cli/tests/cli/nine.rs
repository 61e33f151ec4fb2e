//! The nine servers of the guide, pulled from their registries, then started without them and called in their sandboxes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use super::run::Home;

/// One server and one call of it.
struct Server {
    source: &'static str,
    name: &'static str,
    /// What it is granted, and how it is called.
    run: Vec<String>,
    /// Stands in the answer.
    says: &'static str,
}

fn server(source: &'static str, name: &'static str, run: &[&str], says: &'static str) -> Server {
    Server { source, name, run: run.iter().map(|&word| word.to_owned()).collect(), says }
}

fn skip(why: &str) {
    drop(writeln!(std::io::stderr(), "skipped: {why}"));
}

/// A page on the loopback, for as long as the test runs.
fn page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            let body = "<html><body><p>88 + 22 = 110</p></body></html>";
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    port
}

fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).expect("writable");
    for args in [
        &["init", "-q"][..],
        &["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "--allow-empty", "-m", "the first commit"],
    ] {
        let done = Command::new("git").args(args).current_dir(folder).stdin(Stdio::null()).status().expect("git");
        assert!(done.success(), "git {args:?}");
    }
}

fn servers(work: &str, port: u16) -> Vec<Server> {
    let (repo, host, url) = (format!("{work}/repo"), format!("127.0.0.1:{port}"), format!("url=http://127.0.0.1:{port}/"));
    let (repo_path, list, book) = (format!("repo_path={repo}"), format!("path={work}"), format!("path={work}/sums.xlsx"));
    let mut servers = vec![
        server("npm:@modelcontextprotocol/server-everything@2026.8.31", "everything", &["echo", "message=hello"], "Echo: hello"),
        server(
            "npm:@modelcontextprotocol/server-filesystem@2026.8.31",
            "filesystem",
            &["--allow-write", work, "list_directory", &list, "--", work],
            "[DIR] repo",
        ),
        server("npm:@modelcontextprotocol/server-memory@2026.8.31", "memory", &["read_graph"], "entities"),
        server("pypi:mcp-server-time@2026.10.19", "time", &["get_current_time", "timezone=UTC"], "\"UTC\""),
        server(
            "pypi:mcp-server-git@2026.10.19",
            "git",
            &["--allow-read", &repo, "git_log", &repo_path, "--", "--repository", &repo],
            "the first commit",
        ),
        server(
            "pypi:mcp-server-fetch@2026.10.24",
            "fetch",
            &["--allow-net", &host, "fetch", &url, "raw:=true", "--", "--allow-private-ips", "--ignore-robots-txt"],
            "88 + 22 = 110",
        ),
        server("pypi:mcp-server-calculator@0.2.1", "calculator", &["--with", "mcp<2", "calculate", "expression=88+22"], "110"),
        server("pypi:excel-mcp-server@2.2.2", "excel", &["--allow-write", work, "create_workbook", &book, "--", "stdio"], "sums.xlsx"),
    ];
    let chromium = "/usr/bin/chromium";
    if Path::new(chromium).exists() {
        let browser = ["--headless", "--isolated", "--no-sandbox", "--executable-path", chromium];
        let grants = ["--allow-read", "/etc/chromium.d", "browser_snapshot", "--"];
        servers.push(server("npm:@playwright/mcp@0.0.83", "playwright", &[&grants[..], &browser].concat(), "about:blank"));
    } else {
        skip("the browser server: chromium is not installed");
    }
    servers
}

#[test]
fn nine_real_servers_are_called_in_their_sandboxes_without_their_registries() {
    let home = Home::new("nine");
    let work = home.0.join("work");
    repository(&work.join("repo"));
    let servers = servers(&work.display().to_string(), page());
    let mut pulled = Vec::new();
    for server in servers {
        // The extra requirement is part of what is pulled.
        let extra: &[&str] = if server.name == "calculator" { &["--with", "mcp<2"] } else { &[] };
        let said = home.run(&[&["pull", server.source, "--name", server.name][..], extra].concat());
        let is_out_of_reach = ["TC0503", "TC0504", "TC0507"].iter().any(|code| said.stderr.contains(code));
        if said.status != 0 && is_out_of_reach {
            skip(&format!("{} cannot be fetched here", server.source));
            continue;
        }
        assert_eq!(said.status, 0, "{}: {}", server.name, said.stderr);
        pulled.push(server);
    }
    for Server { source, name, run, says } in pulled {
        let mut command = home.command(&["run", source, "--name", name]);
        command.args(&run);
        for variable in ["http_proxy", "https_proxy", "npm_config_registry", "UV_INDEX_URL", "UV_DEFAULT_INDEX"] {
            command.env(variable, super::run::NOWHERE);
        }
        let done = command.env("UV_OFFLINE", "1").output().expect("the program starts");
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success() && out.contains(says), "{name}: {out}\n{err}");
    }
}
