//! Random files, as odd as files get.

/// Makes texts out of random bytes: each byte decides one thing.
pub(super) struct Dice<'b>(std::slice::Iter<'b, u8>);

impl<'b> Dice<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes.iter())
    }

    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % sides)
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[usize::from(self.roll(u8::try_from(of.len()).unwrap()))]
    }

    pub(super) fn space(&mut self) -> &'static str {
        self.pick(&["", " ", "\n  ", "\n\t", "\r\n ", " // a \"b\" {\n", "/* , */", " \n\n", "\t/* x\n y */ "])
    }

    fn json(&mut self, deep: u8, keys: &[&str]) -> String {
        match self.roll(if deep == 0 { 4 } else { 7 }) {
            0 => "\"a, } \\\" é\"".to_owned(),
            1 => "-1.5e3".to_owned(),
            2 => "true".to_owned(),
            3 => "null".to_owned(),
            4 => {
                let count = self.roll(3);
                let elements: Vec<String> =
                    (0..count).map(|_| format!("{}{}{}", self.space(), self.json(deep - 1, &[]), self.space())).collect();
                format!("[{}{}{}]", elements.join(","), if count > 0 { self.pick(&["", ","]) } else { "" }, self.space())
            }
            _ => self.object(deep - 1, keys),
        }
    }

    pub(super) fn object(&mut self, deep: u8, keys: &[&str]) -> String {
        let mut members = Vec::new();
        for name in ["a", "mcpServers", "time", "é b"] {
            if self.roll(2) == 0 {
                continue;
            }
            let value =
                if keys.first() == Some(&name) { self.object(deep, keys.get(1..).unwrap_or_default()) } else { self.json(deep, &[]) };
            members.push(format!("{}\"{name}\"{}:{}{value}{}", self.space(), self.space(), self.space(), self.space()));
        }
        let comma = if members.is_empty() { "" } else { self.pick(&["", ","]) };
        format!("{{{}{comma}{}}}", members.join(","), self.space())
    }

    pub(super) fn toml(&mut self) -> String {
        let newline = self.pick(&["\n", "\r\n"]);
        let mut lines: Vec<String> = (0..self.roll(4)).map(|_| self.pick(&["", "# c [x]", "   # d"]).to_owned()).collect();
        for name in ["a", "b"].into_iter().filter(|_| self.roll(2) == 1).collect::<Vec<_>>() {
            let value = self.pick(&["1", "\"[x]\"", "[1, [2]]", "{ c = 1 }", "'''\n[y]\n'''"]);
            lines.push(format!("{}{name} = {value}{}", self.pick(&["", " ", "\t"]), self.pick(&["", " # z"])));
        }
        for name in ["tui", "mcp_servers.time", "mcp_servers.time.env", "mcp_servers.\"x y\"", "z"] {
            if self.roll(2) == 1 {
                lines.extend(self.toml_table(name));
            }
        }
        let text = lines.join("\n") + self.pick(&["", "\n", "\n\n"]);
        text.replace('\n', newline)
    }

    fn toml_table(&mut self, name: &str) -> Vec<String> {
        let mut lines = vec![self.pick(&["", "# about", ""]).to_owned()];
        lines.push(format!("{}[{name}]{}", self.pick(&["", "  "]), self.pick(&["", " # h"])));
        for member in ["k", "l"] {
            if self.roll(2) == 1 {
                lines.push(format!("{member} = {}", self.pick(&["1", "\"#\"", "[\n 1,\n]", "true # t"])));
            }
        }
        lines
    }

    pub(super) fn yaml(&mut self) -> String {
        let newline = self.pick(&["\n", "\r\n"]);
        let mut text = self.pick(&["", "# head\n", "---\n", "\n"]).to_owned();
        for name in ["a", "extensions", "z"] {
            let section = match self.roll(4) {
                0 => continue,
                1 if name != "extensions" => {
                    format!("{name}: {}\n", self.pick(&["1", "\"x: y\"", "[1, {b: c}]", "|\n  extensions:\n    t: 1", "text # c"]))
                }
                2 => format!("{name}:{}{{}}\n", self.pick(&[" ", "  "])),
                _ => self.yaml_section(name),
            };
            text.push_str(&section);
            text += self.pick(&["", "\n", "# tail\n"]);
        }
        if self.roll(3) == 0 {
            text.truncate(text.trim_end().len());
        }
        text.replace('\n', newline)
    }

    fn yaml_section(&mut self, name: &str) -> String {
        let indent = self.pick(&["  ", "    ", " "]);
        let mut text = format!("{name}:{}\n", self.pick(&["", " # c", " "]));
        for child in ["dev", "time"] {
            text += self.pick(&["", "\n", "  # between\n"]);
            let line = format!("{indent}{child}:{}", self.pick(&[" { on: true } # f\n", " 1\n"]));
            text.push_str(&line);
            if self.roll(2) == 1 {
                let block = format!("{indent}{child}-two:\n{indent}  cmd: x\n{indent}  args:\n{indent}  - a\n");
                text.push_str(&block);
            }
        }
        text
    }
}
