//! What `pull` and `show` say of an update, what is asked for and granted, and what is missing or damaged.

use super::Entry;

pub(super) const ENTRIES: &[Entry] = &[
    ("version     {} -> {}", "版本        {} -> {}"),
    ("runtime     {} -> {}", "运行时      {} -> {}"),
    ("package     {}: {} -> {}", "软件包      {}：{} -> {}"),
    ("files       {} added, {} removed, {} changed", "文件        新增 {} 个，移除 {} 个，更改 {} 个"),
    ("asks        now also for engine {}", "要求        新增引擎 {}"),
    ("asks        no more for engine {}", "要求        不再需要引擎 {}"),
    ("asks        now also for program {}", "要求        新增程序 {}"),
    ("asks        no more for program {}", "要求        不再需要程序 {}"),
    ("asks        now also for setting {}", "要求        新增设置 {}"),
    ("asks        no more for setting {}", "要求        不再需要设置 {}"),
    ("asks        now also for variable {}", "要求        新增变量 {}"),
    ("asks        no more for variable {}", "要求        不再需要变量 {}"),
    ("asks        now also for folder {}", "要求        新增文件夹 {}"),
    ("asks        no more for folder {}", "要求        不再需要文件夹 {}"),
    ("asks        now also for argument {}", "要求        新增参数 {}"),
    ("asks        no more for argument {}", "要求        不再需要参数 {}"),
    ("asks        now also for system {}", "要求        新增系统 {}"),
    ("asks        no more for system {}", "要求        不再需要系统 {}"),
    ("reaches     now also for network ({})", "触及        新增网络（{}）"),
    ("reaches     now also for processes ({})", "触及        新增进程（{}）"),
    ("reaches     now also for writing files ({})", "触及        新增写文件（{}）"),
    ("reaches     now also for native code ({})", "触及        新增原生代码（{}）"),
    ("reaches     now also for code made of text ({})", "触及        新增由文本生成的代码（{}）"),
    ("asks        now also for {}", "要求        新增 {}"),
    ("asks        no more for {}", "要求        不再需要 {}"),
    ("reaches     now also for {}", "触及        新增 {}"),
    (
        "{} would have `{}` granted {}. May it reach that over the network? [y/N] ",
        "{0} 要给 `{1}` 的授权是 {2}。允许它通过网络访问吗？[y/N] ",
    ),
    (
        "{} would have `{}` granted {}. May it read and write there? [w = read and write, r = read only, N] ",
        "{0} 要给 `{1}` 的授权是 {2}。允许它在那里读写吗？[w = 读写，r = 只读，N] ",
    ),
    ("{} would have `{}` granted {}. May it read there? [y/N] ", "{0} 要给 `{1}` 的授权是 {2}。允许它在那里读取吗？[y/N] "),
    ("{} would have `{}` granted {}: {}", "{0} 要给 `{1}` 的授权是 {2}：{3}"),
    (
        "{} would have `{}` granted {}, and nobody has agreed; it asks at a terminal: toolcrib serve -c {} --only {}",
        "{0} 要给 `{1}` 的授权是 {2}，还没有人同意；在终端中会询问：toolcrib serve -c {3} --only {4}",
    ),
    (
        "`{}`: what `toolcrib run` granted it counts in your own configuration alone; `sandbox` in {} grants it there",
        "`{}`：`toolcrib run` 给它的授权只在你自己的配置中有效；在 {} 里用 `sandbox` 授予",
    ),
    (
        "{}: what `toolcrib run` granted it counts in your own configuration alone; `sandbox` in {} grants it there",
        "{}：`toolcrib run` 给它的授权只在你自己的配置中有效；在 {} 里用 `sandbox` 授予",
    ),
    (
        "what `toolcrib run` granted it counts in your own configuration alone; `sandbox` in {} grants it there",
        "`toolcrib run` 给它的授权只在你自己的配置中有效；在 {} 里用 `sandbox` 授予",
    ),
    ("starting  1 package to see whether they do (--no-start leaves it out)", "正在启动  1 个软件包，看能否启动（--no-start 可省去）"),
    ("starting  {} packages to see whether they do (--no-start leaves it out)", "正在启动  {} 个软件包，看能否启动（--no-start 可省去）"),
    ("what answers at {} is no Toolcrib gateway", "在 {} 回答的不是 Toolcrib 网关"),
    (
        "another program listens there (`ss -ltnp 'sport = :{}'` names it): stop it, or choose another address: --listen, TOOLCRIB_LISTEN",
        "有别的程序在那里监听（`ss -ltnp 'sport = :{}'` 会给出它的名字）：停止它，或者选择别的地址：--listen、TOOLCRIB_LISTEN",
    ),
    ("give the address of a gateway: --url", "请用 --url 给出网关的地址"),
    (
        "if the file is damaged, bring it back from a backup, or move it away: every server is then trusted as it is at its next start",
        "如果该文件已损坏，请从备份恢复，或将其移走：此后每个服务器在下次启动时都按原样被信任",
    ),
    (
        "if the file is damaged, bring it back from a backup, or move it away: packages are pulled, and grants asked for, anew",
        "如果该文件已损坏，请从备份恢复，或将其移走：软件包会重新拉取，授权会重新询问",
    ),
    ("there is neither {} nor {}", "没有 {}，也没有 {}"),
    ("there is neither {} nor a program `{}`", "没有 {}，也没有程序 `{}`"),
    ("there is neither {} nor a program `{}` or `{}`", "没有 {}，也没有程序 `{}` 或 `{}`"),
    ("there is neither {} nor {} nor a program `{}`", "没有 {} 和 {}，也没有程序 `{}`"),
    ("there is neither {} nor {} nor a program `{}` or `{}`", "没有 {} 和 {}，也没有程序 `{}` 或 `{}`"),
    ("there is no program `{}`", "没有程序 `{}`"),
    ("there is no program `{}` or `{}`", "没有程序 `{}` 或 `{}`"),
    ("starting  {} to see whether they do (--no-start leaves it out)", "正在启动  {}，看能否启动（--no-start 可省去）"),
    (
        "`{}` may not write there in its sandbox; if it shall: toolcrib run {} --allow-write DIR",
        "`{}` 在沙箱中不能写入那里；如果应当允许：toolcrib run {} --allow-write DIR",
    ),
    (
        "`{}` sees in its sandbox what it was granted; if it shall see more: toolcrib run {} --allow-read DIR   (or --allow-write DIR)",
        "`{}` 在沙箱中只看得到授予它的内容；如果应当看到更多：toolcrib run {} --allow-read DIR   （或 --allow-write DIR）",
    ),
    (
        "`{}` has no network in its sandbox; if it needs one: toolcrib run {} --allow-net HOST",
        "`{}` 在沙箱中没有网络；如果它需要：toolcrib run {} --allow-net HOST",
    ),
];
