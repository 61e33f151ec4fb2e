//! Children of all kinds, and what is left of them.

use std::time::{Duration, Instant};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn sh(script: &str) -> CommandLine {
    let env = vec![("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())];
    CommandLine { program: "sh".to_owned(), args: vec!["-c".to_owned(), script.to_owned()], env, cwd: None }
}

fn spawn(script: &str) -> Child {
    Child::spawn(&sh(script), "test", 1 << 20).unwrap()
}

fn message(text: &str) -> Chunks {
    Chunks::from(Bytes::copy_from_slice(text.as_bytes()))
}

async fn recv(child: &mut Child) -> Option<Result<String, LineError>> {
    let line = tokio::time::timeout(PATIENCE, child.recv()).await.expect("a line in time");
    line.map(|line| line.map(|line| String::from_utf8(line.to_vec()).unwrap()))
}

/// Tells whether a process is there and not a zombie.
fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

async fn gone(pid: u32) {
    let since = Instant::now();
    while is_alive(pid) {
        assert!(since.elapsed() < PATIENCE, "{pid} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn lines_go_in_and_come_out() {
    let mut child = spawn("exec cat");
    child.send(message("{\"n\":1}")).await.unwrap();
    assert_eq!(recv(&mut child).await, Some(Ok("{\"n\":1}".to_owned())));
    // What is on several lines leaves as one.
    child.send(message("{\n\"n\":\r\n2}")).await.unwrap();
    assert_eq!(recv(&mut child).await, Some(Ok("{ \"n\":  2}".to_owned())));
    let pid = child.pid();
    child.stop(PATIENCE).await;
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn more_than_the_pipe_holds_goes_through() {
    let mut child = Child::spawn(&sh("exec cat"), "test", 8 << 20).unwrap();
    let large = "x".repeat(3 << 20);
    let (input, lines) = (child.input.clone(), 20);
    let (sent, ()) = tokio::join!(
        async {
            for _ in 0..lines {
                input.send(message(&large)).await?;
                input.send(message("small")).await?;
            }
            Ok::<_, Gone>(())
        },
        async {
            for _ in 0..lines {
                assert_eq!(recv(&mut child).await.unwrap().unwrap().len(), large.len());
                assert_eq!(recv(&mut child).await, Some(Ok("small".to_owned())));
            }
        }
    );
    sent.unwrap();
}

#[tokio::test]
async fn a_child_sees_only_its_own_environment() {
    let mut command = sh("env; pwd");
    command.env.push(("TOKEN".to_owned(), "secret".to_owned()));
    command.cwd = Some("/tmp".into());
    let mut child = Child::spawn(&command, "test", 1000).unwrap();
    let mut lines = Vec::new();
    while let Some(Ok(line)) = recv(&mut child).await {
        lines.push(line);
    }
    assert!(lines.contains(&"TOKEN=secret".to_owned()) && lines.contains(&"/tmp".to_owned()));
    assert!(!lines.iter().any(|line| line.starts_with("CARGO") || line.starts_with("HOME=")), "{lines:?}");
    assert!(!format!("{command:?}").contains("secret"));
}

#[tokio::test]
async fn a_death_in_the_middle_is_told_at_once_with_the_last_words() {
    let mut child = spawn("read line; echo started; read line; echo 'out of luck' >&2; exit 3");
    child.send(message("1")).await.unwrap();
    assert_eq!(recv(&mut child).await, Some(Ok("started".to_owned())));
    child.send(message("2")).await.unwrap();
    assert_eq!(recv(&mut child).await, None);
    assert_eq!(child.stderr_tail(), ["out of luck"]);
    child.handle.exited().await;
    assert_eq!(child.handle.status().unwrap().code(), Some(3));
    assert_eq!(child.send(message("3")).await, Err(Gone));
}

#[tokio::test]
async fn a_grandchild_with_the_pipe_does_not_hide_a_death() {
    let mut child = spawn("sleep 600 & echo $!; exec 1>&2; sleep 0.1");
    let grandchild: u32 = recv(&mut child).await.unwrap().unwrap().parse().unwrap();
    let since = Instant::now();
    assert_eq!(recv(&mut child).await, None);
    assert!(since.elapsed() < Duration::from_secs(5));
    gone(grandchild).await;
}

#[tokio::test]
async fn a_grandchild_that_left_the_group_does_not_hide_a_death() {
    let mut child = spawn("setsid sh -c 'echo $$; exec sleep 2' & sleep 0.2");
    recv(&mut child).await.unwrap().unwrap();
    let since = Instant::now();
    assert_eq!(recv(&mut child).await, None);
    assert!(since.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn lines_that_are_too_long_are_told_and_skipped() {
    let mut child = Child::spawn(&sh("head -c 5000 /dev/zero | tr '\\0' x; echo; echo; echo ok"), "test", 1000).unwrap();
    assert_eq!(recv(&mut child).await, Some(Err(LineError::TooLong)));
    assert_eq!(recv(&mut child).await, Some(Ok("ok".to_owned())));
    assert_eq!(recv(&mut child).await, None);
}

#[tokio::test]
async fn a_last_line_without_an_end_is_a_line() {
    let mut child = spawn("echo one; printf two");
    for expected in [Some(Ok("one".to_owned())), Some(Ok("two".to_owned())), None, None] {
        assert_eq!(recv(&mut child).await, expected);
    }
}

#[tokio::test]
async fn a_flood_on_standard_error_harms_nobody() {
    let mut child = spawn("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; echo done; cat");
    assert_eq!(recv(&mut child).await, Some(Ok("done".to_owned())));
    child.send(message("still there")).await.unwrap();
    assert_eq!(recv(&mut child).await, Some(Ok("still there".to_owned())));
    let (_, output, handle) = child.split();
    handle.kill();
    handle.exited().await;
    let tail = handle.stderr_tail();
    assert_eq!((tail.len(), tail.last().map(String::as_str)), (50, Some("line 19999")));
    drop(output);
}

#[tokio::test]
async fn stopping_is_polite_first() {
    let mut child = spawn("trap 'echo term >&2; exit 0' TERM; while :; do read line || sleep 0.05; done");
    child.send(message("x")).await.unwrap();
    let handle = child.handle.clone();
    assert!(tokio::time::timeout(Duration::from_millis(200), recv(&mut child)).await.is_err());
    child.stop(Duration::from_millis(300)).await;
    assert!(handle.stderr_tail().contains(&"term".to_owned()));
    assert_eq!(handle.status().unwrap().code(), Some(0));
}

#[tokio::test]
async fn stubborn_children_are_killed_with_all_they_started() {
    let mut child = spawn("trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $!; while :; do sleep 1; done");
    let grandchild: u32 = recv(&mut child).await.unwrap().unwrap().parse().unwrap();
    let pid = child.pid();
    assert!(is_alive(pid) && is_alive(grandchild));
    child.stop(Duration::from_millis(100)).await;
    assert!(!is_alive(pid));
    gone(grandchild).await;
}

#[tokio::test]
async fn a_dropped_child_is_killed_and_reaped() {
    let mut child = spawn("sleep 600 & echo $!; wait");
    let grandchild: u32 = recv(&mut child).await.unwrap().unwrap().parse().unwrap();
    let (pid, handle) = (child.pid(), child.handle.clone());
    drop(child);
    tokio::time::timeout(PATIENCE, handle.exited()).await.unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "a zombie is left");
    gone(grandchild).await;
}

#[tokio::test]
async fn a_child_that_does_not_read_blocks_its_senders_only_within_a_bound() {
    let child = spawn("sleep 600");
    let line = "x".repeat(1 << 20);
    let flood = async {
        for _ in 0..100 {
            child.send(message(&line)).await.unwrap();
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), flood).await.is_err());
    // Those who wait learn of its end.
    let (sent, ()) = tokio::join!(child.send(message(&line)), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        child.handle.kill();
    });
    assert_eq!(sent, Err(Gone));
}

#[tokio::test]
async fn what_cannot_be_started_is_told_with_a_hint() {
    let mut missing = sh("");
    missing.program = "no-such-program".to_owned();
    let fault = Child::spawn(&missing, "files", 1000).unwrap_err();
    assert_eq!(fault.code(), crib_model::Code::SpawnFailed);
    assert!(fault.to_string().contains("`files` cannot be started") && fault.remedy().unwrap().contains("PATH"));
    let mut nowhere = sh("");
    nowhere.cwd = Some("/no/such/folder".into());
    let fault = Child::spawn(&nowhere, "files", 1000).unwrap_err();
    assert_eq!(fault.causes().to_vec(), ["there is no folder `/no/such/folder` to start it in"]);
    assert_eq!(fault.remedy(), Some("make it, or change `cwd`"));
}

mod killed {
    //! A gateway that is killed: this test binary, run again in the part of the gateway and of the warden.

    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use super::*;

    fn this_test(name: &str) -> (PathBuf, Vec<String>) {
        let path = format!("child::tests::killed::{name}");
        (std::env::current_exe().unwrap(), vec!["--exact".to_owned(), path, "--ignored".to_owned(), "--nocapture".to_owned()])
    }

    #[test]
    #[ignore = "plays the warden for another test"]
    fn warden() {
        assert_eq!(run_warden(), std::process::ExitCode::SUCCESS);
    }

    #[tokio::test]
    #[ignore = "plays the gateway for another test"]
    async fn gateway() {
        let _children = start_children().await;
        std::future::pending::<()>().await;
    }

    #[tokio::test]
    #[ignore = "plays the gateway for another test"]
    async fn orderly_gateway() {
        let _children = start_children().await;
        unwatch_children();
    }

    async fn start_children() -> Vec<Child> {
        let (program, args) = this_test("warden");
        watch_children(WardenCommand { program, args });
        // One that ignores everything, with a child that does; one that hides in a session of its own.
        let stubborn = "trap '' TERM HUP INT; (while :; do sleep 1; done) & echo pid $$; echo pid $!; while :; do sleep 1; done";
        let hiding = "setsid sh -c 'echo pid $$; while :; do sleep 1; done' & wait";
        let mut children = Vec::new();
        for script in [stubborn, hiding, "exec cat"] {
            children.push(spawn(script));
        }
        let (cat, others) = children.split_last_mut().unwrap();
        println!("pid {}", cat.pid());
        for (child, lines) in others.iter_mut().zip([2, 1]) {
            for _ in 0..lines {
                println!("{}", recv(child).await.unwrap().unwrap());
            }
        }
        println!("ready");
        children
    }

    /// Starts the gateway and returns it with the children it named.
    fn start(name: &str) -> (std::process::Child, Vec<u32>) {
        let (program, args) = this_test(name);
        let mut gateway = Command::new(program).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(gateway.stdout.take().unwrap()).lines().map_while(Result::ok);
        let words: Vec<String> = lines.take_while(|line| line != "ready").collect();
        let pids: Vec<u32> = words.iter().filter_map(|line| line.split_once("pid ")?.1.parse().ok()).collect();
        assert_eq!(pids.len(), 4, "{words:?}");
        (gateway, pids)
    }

    #[tokio::test]
    async fn it_leaves_no_child_behind() {
        let (mut gateway, pids) = start("gateway");
        assert!(pids.iter().all(|pid| is_alive(*pid)));
        gateway.kill().unwrap();
        gateway.wait().unwrap();
        for pid in pids {
            gone(pid).await;
        }
    }

    #[tokio::test]
    async fn an_orderly_end_waits_for_the_warden() {
        let (mut gateway, pids) = start("orderly_gateway");
        gateway.wait().unwrap();
        for pid in pids {
            gone(pid).await;
        }
    }
}
