//! Which language somebody reads.

/// A language that messages are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tongue {
    #[default]
    English,
    /// 简体中文.
    Chinese,
}

/// The variables that say it, the strongest first: ours, then those of POSIX.
const VARIABLES: [&str; 4] = ["TOOLCRIB_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];

impl Tongue {
    /// Returns the language that the first variable with something in it names. What is not known is English.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let language = named.unwrap_or_default().to_lowercase();
        let language = language.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if matches!(language, "zh" | "chinese" | "中文") { Self::Chinese } else { Self::English }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Tongue) {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(Tongue::of(of), expected, "{variables:?}");
    }

    #[test]
    fn the_locale_decides_and_our_own_variable_before_it() {
        check(&[], Tongue::English);
        check(&[("LANG", "zh_CN.UTF-8")], Tongue::Chinese);
        check(&[("LANG", "zh-Hans")], Tongue::Chinese);
        check(&[("LANG", "de_DE.UTF-8")], Tongue::English);
        check(&[("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], Tongue::English);
        check(&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")], Tongue::Chinese);
        check(&[("LC_ALL", "C"), ("LANG", "zh_CN.UTF-8")], Tongue::English);
        check(&[("LC_ALL", "C"), ("TOOLCRIB_LANG", "zh-CN")], Tongue::Chinese);
        check(&[("LC_ALL", "zh_CN"), ("TOOLCRIB_LANG", "en")], Tongue::English);
    }
}
