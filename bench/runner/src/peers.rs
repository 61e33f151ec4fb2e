//! The peers and what they need: folders, ports, configuration files, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::machine::Machine;
use crate::measure::{Generator, LEGACY, MODERN, Window};
use crate::process::{Process, behind, pinned};

pub(crate) const LEGACY_BACKEND: u16 = 9101;
pub(crate) const MODERN_BACKEND: u16 = 9102;
pub(crate) const TRACE_SINK: u16 = 9103;
pub(crate) const LIST_BACKENDS: u16 = 9110;
pub(crate) const NGINX_LEGACY: u16 = 8301;
pub(crate) const NGINX_MODERN: u16 = 8302;
pub(crate) const NGINX_STATIC: u16 = 8303;
pub(crate) const FLOOR_LEGACY: u16 = 8201;
pub(crate) const FLOOR_MODERN: u16 = 8202;
pub(crate) const TOOLCRIB: u16 = 8401;

/// The API key of the run: keys are on in every measurement.
pub(crate) const KEY: &str = "tc-bench-0123456789abcdef0123456789abcdef";

/// One of the two generations of the protocol.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Era {
    Legacy,
    Modern,
}

impl Era {
    pub(crate) const BOTH: [Self; 2] = [Self::Legacy, Self::Modern];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Modern => "modern",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Legacy => LEGACY,
            Self::Modern => MODERN,
        }
    }
}

/// Everything a scene needs to start peers and measure them.
pub(crate) struct Bench {
    pub(crate) root: PathBuf,
    pub(crate) work: PathBuf,
    pub(crate) machine: Machine,
    pub(crate) load: Generator,
    pub(crate) is_quick: bool,
    bin: PathBuf,
    toolcrib: PathBuf,
    nginx: Option<PathBuf>,
}

impl Bench {
    pub(crate) fn prepare(window: Window, is_quick: bool) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("no root")?.to_path_buf();
        let work = root.join("bench/work");
        fs::create_dir_all(&work)?;
        let machine = Machine::read()?;
        let bin = crate::path("BENCH_BIN").unwrap_or_else(|| root.join("bench/target/release"));
        let load = Generator { binary: bin.join("mcp-load"), cores: machine.load_core.to_string(), window };
        let toolcrib = crate::path("TOOLCRIB_BIN").unwrap_or_else(|| root.join("target/release/toolcrib"));
        Ok(Self { root, work, machine, load, is_quick, bin, toolcrib, nginx: crate::path("NGINX_BIN") })
    }

    /// Starts an echo backend on the load's core.
    pub(crate) fn backend(&self, port: u16, more: &[&str]) -> Result<Process> {
        self.backend_on(&self.load.cores, port, more)
    }

    fn backend_on(&self, cores: &str, port: u16, more: &[&str]) -> Result<Process> {
        let mut command = pinned(cores, &self.bin.join("mcp-echo"));
        command.args(["http", "--addr", &format!("127.0.0.1:{port}")]).args(more);
        self.serve(&mut command, &format!("backend-{port}"), port)
    }

    /// Starts one backend of each era: each speaks only its own.
    pub(crate) fn backends(&self) -> Result<Vec<Process>> {
        self.backends_on(&self.load.cores)
    }

    pub(crate) fn backends_on(&self, cores: &str) -> Result<Vec<Process>> {
        let legacy = self.backend_on(cores, LEGACY_BACKEND, &["--stateful", "--legacy-only"])?;
        Ok(vec![legacy, self.backend_on(cores, MODERN_BACKEND, &["--modern-only"])?])
    }

    pub(crate) fn floor(&self, listen: u16, upstream: u16) -> Result<Process> {
        let mut command = pinned(&self.machine.gateway_core.to_string(), &self.bin.join("mcp-floor"));
        command.args(["--listen", &format!("127.0.0.1:{listen}"), "--upstream", &format!("127.0.0.1:{upstream}")]);
        self.serve(&mut command, &format!("floor-{listen}"), listen)
    }

    /// Starts nginx as a plain reverse proxy of both backends and as a server of static files.
    pub(crate) fn nginx(&self) -> Result<Process> {
        self.nginx_on(&self.gateway_core(), 1, 0)
    }

    pub(crate) fn nginx_on(&self, cores: &str, workers: u8, nice: u8) -> Result<Process> {
        let binary = self.nginx.as_ref().context("no nginx")?;
        let config = self.work.join("nginx.conf");
        fs::create_dir_all(self.work.join("static"))?;
        fs::write(&config, nginx_config(&self.work, workers))?;
        let mut command = behind(cores, nice, binary);
        command.arg("-e").arg(self.work.join("nginx-error.log")).arg("-p").arg(&self.work).arg("-c").arg(config);
        if let Some(libraries) = crate::path("NGINX_LIBRARIES") {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        self.serve(&mut command, "nginx", NGINX_LEGACY)
    }

    /// Starts toolcrib on these cores with a configuration of this name.
    pub(crate) fn toolcrib(&self, cores: &str, name: &str, config: &str) -> Result<Process> {
        self.toolcrib_behind(cores, 0, name, config)
    }

    /// Starts toolcrib so that it gives way to others by `nice`.
    pub(crate) fn toolcrib_behind(&self, cores: &str, nice: u8, name: &str, config: &str) -> Result<Process> {
        let mut command = self.toolcrib_command(cores, nice, name, config)?;
        self.serve(&mut command, &format!("toolcrib-{name}"), TOOLCRIB)
    }

    pub(crate) fn toolcrib_command(&self, cores: &str, nice: u8, name: &str, config: &str) -> Result<Command> {
        let file = self.work.join(format!("toolcrib-{name}.yaml"));
        fs::write(&file, config)?;
        let mut command = behind(cores, nice, &self.toolcrib);
        command.args(["serve", "-c"]).arg(file).current_dir(&self.work).stdin(Stdio::null());
        Ok(command)
    }

    /// Returns the program itself, for measurements of its commands.
    pub(crate) fn toolcrib_binary(&self) -> &Path {
        &self.toolcrib
    }

    pub(crate) fn echo_binary(&self) -> PathBuf {
        self.bin.join("mcp-echo")
    }

    pub(crate) fn gateway_core(&self) -> String {
        self.machine.gateway_core.to_string()
    }

    fn serve(&self, command: &mut Command, name: &str, port: u16) -> Result<Process> {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            bail!("port {port} of {name} is in use by another program");
        }
        let mut process = Process::start(command, name, &self.work)?;
        process.wait_for(port)?;
        Ok(process)
    }
}

fn nginx_config(work: &Path, workers: u8) -> String {
    let work = work.display();
    let proxy = |listen: u16, upstream: u16| {
        format!(
            "  upstream u{upstream} {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 600s; }}
  server {{
    listen 127.0.0.1:{listen} backlog=4096;
    location / {{ proxy_pass http://u{upstream}; proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Host $host; }}
  }}\n"
        )
    };
    let legacy = proxy(NGINX_LEGACY, LEGACY_BACKEND);
    let modern = proxy(NGINX_MODERN, MODERN_BACKEND);
    format!(
        "daemon off;
worker_processes {workers};
pid {work}/nginx.pid;
error_log {work}/nginx-error.log crit;
events {{ worker_connections 1000; multi_accept on; }}
http {{
  access_log off;
  tcp_nodelay on;
  sendfile on;
  open_file_cache max=16;
  keepalive_requests 1000000000;
  client_max_body_size 64m;
  client_body_buffer_size 2m;
  proxy_buffers 16 128k; proxy_buffer_size 128k; proxy_busy_buffers_size 256k;
  client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/nginx-fastcgi; uwsgi_temp_path {work}/nginx-uwsgi; scgi_temp_path {work}/nginx-scgi;
{legacy}{modern}  server {{ listen 127.0.0.1:{NGINX_STATIC} backlog=4096; root {work}/static; default_type application/json; }}
}}\n"
    )
}
