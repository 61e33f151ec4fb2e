//! Files of other programs: what they ask for, and what is wrong with them.

use super::Entry;

pub(super) const ENTRIES: &[Entry] = &[
    // Inputs of VS Code.
    ("`{}` asks for {}", "`{}` 需要输入 {}"),
    ("value of {}: ", "{} 的值："),
    ("passphrase of the secrets: ", "机密的口令："),
    ("`{}` asks for {}: ", "`{}` 需要输入 {}："),
    ("`{}` asks for {} [{}]: ", "`{}` 需要输入 {} [{}]："),
    ("{}choose 1 to {}{}: ", "{}请选 1 到 {}{}："),
    ("`{}` asks for {}:\n{}choose 1 to {}: ", "`{}` 需要输入 {}：\n{}请选 1 到 {}："),
    ("`{}` asks for {}:\n{}choose 1 to {} [{}]: ", "`{}` 需要输入 {}：\n{}请选 1 到 {} [{}]："),
    ("`{}` (what VS Code's command `{}` gives)", "`{}`（由 VS Code 的命令 `{}` 给出）"),
    ("kept     {} among the secrets; another answer: toolcrib secret set {}", "已保存   {} 到机密中；换一个回答：toolcrib secret set {}"),
    ("`{}` needs the input {}", "`{}` 需要输入项 {}"),
    ("`{}` needs the input {}: {}", "`{}` 需要输入项 {}：{}"),
    ("toolcrib secret set {}   or set the variable {}", "toolcrib secret set {}   或设置变量 {}"),
    ("the input {} has no value", "输入项 {} 没有值"),
    ("an input has no value", "有输入项没有值"),
    ("`{}` is none of the file's inputs", "`{}` 不是该文件的输入项"),
    ("its inputs: {}", "它的输入项：{}"),
    (
        "the input {} is a password, and everybody on this machine can read arguments and addresses",
        "输入项 {} 是密码，而参数和地址是这台机器上人人可读的",
    ),
    ("give it by `env` or `headers`, or set the variable {}", "请放进 `env` 或 `headers`，或设置变量 {}"),
    // Files of variables.
    ("expected `NAME=value`", "这里应是 `NAME=value`"),
    ("this cannot be the name of a variable", "这不能作为变量名"),
    ("this quote is never closed", "这个引号没有闭合"),
    ("expected nothing after the closing quote", "右引号之后不应再有内容"),
    ("check the path in `envFile`, and who may read the file", "请检查 `envFile` 里的路径，以及谁可以读这个文件"),
    (
        "the file is read for `{}` of a server: one `NAME=value` in a line, comments behind `#`",
        "这个文件因服务器的 `{}` 而读取：每行一个 `NAME=value`，注释写在 `#` 之后",
    ),
    // Catalogues.
    ("these are the names of servers, and not what they are", "这里只有服务器的名称，没有它们的内容"),
    (
        "name the catalogue instead: toolcrib serve -c catalog.yaml; this file is found beside it",
        "请改为指定目录文件：toolcrib serve -c catalog.yaml；会在它旁边找到本文件",
    ),
    ("this is a catalogue of {} servers, and none of them is chosen", "这是一份包含 {} 个服务器的目录，还没有选择其中任何一个"),
    ("choose: --only {}   (several: --only A,B)", "请选择：--only {}   （多个：--only A,B）"),
    ("there are {} and {} more", "有 {}，另有 {} 个"),
    ("there are {}", "有 {}"),
    ("it names neither an image nor an address", "它既没有写镜像，也没有写地址"),
    ("it names no address", "它没有写地址"),
    ("it names no image", "它没有写镜像"),
    ("the setting `{}` has no value", "设置 `{}` 没有值"),
    ("put it into the `config.yaml` beside the catalogue, below `{}:`", "请写入目录文件旁边的 `config.yaml`，放在 `{}:` 之下"),
    (
        "its container speaks `{}`, and what is started here is spoken to on standard input and output",
        "它的容器使用 `{}`，而在这里启动的服务器通过标准输入输出通信",
    ),
    ("the environment variable `{}` ({}) is not set", "没有设置环境变量 `{}`（{}）"),
    ("U+FDD0 or U+FDD1 is no character", "U+FDD0 或 U+FDD1 不是字符"),
    ("set it", "请设置它"),
    ("--only chooses from files, and the command line names a server", "--only 从文件里选择，而命令行已经指定了服务器"),
    ("--only {} chooses from a file, and there is none", "--only {} 从文件里选择，但没有文件"),
    ("name it: -c FILE", "请指定：-c FILE"),
    ("--header goes with a URL of a server, not with a bundle", "--header 用于服务器的 URL，不用于软件包文件"),
    ("a variable of it: --env NAME=VALUE", "它的变量：--env NAME=VALUE"),
    // `stop` and its patience.
    ("waiting  for calls under way, and for servers to end", "等待     进行中的调用和服务器结束"),
    ("killing  the gateway, which has not ended", "强制结束 尚未结束的网关"),
    // What YAML cannot say.
    ("`{}` stands here a second time; the first is in line {}", "`{}` 在这里第二次出现；第一次在第 {} 行"),
    ("a second document begins here, and a file of settings is one", "这里开始了第二个文档，而一个设置文件只能有一个"),
    ("this is too large, or too deep, to be read as settings", "内容过大或嵌套过深，无法作为设置读取"),
    ("its aliases make too much of this", "别名展开后内容过大"),
    ("nothing above has this name: no `&` with it", "上面没有这个名字：没有对应的 `&`"),
    ("expected a name, found nothing", "这里应有一个名称，却什么都没有"),
    ("this refers to itself", "它引用了自身"),
];
