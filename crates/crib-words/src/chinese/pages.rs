//! The page of every error code.

macro_rules! pages {
    ($($code:ident)+) => {
        /// Returns the page of a code such as `TC0203`.
        pub(crate) fn page(code: &str) -> Option<&'static str> {
            match code {
                $(stringify!($code) => Some(include_str!(concat!("../../../../docs/errors/zh-CN/", stringify!($code), ".md"))),)+
                _ => None,
            }
        }
    };
}

pages! {
    TC0101 TC0102 TC0103 TC0104 TC0110 TC0111 TC0112 TC0113 TC0114
    TC0201 TC0202 TC0203 TC0204 TC0205 TC0206 TC0207 TC0208 TC0209 TC0210 TC0211 TC0212
    TC0301 TC0302 TC0303 TC0304 TC0310 TC0311 TC0312 TC0313 TC0314
    TC0401 TC0402 TC0403 TC0440 TC0441 TC0442 TC0443 TC0444 TC0445 TC0446 TC0447 TC0448 TC0460 TC0461 TC0462 TC0463 TC0464 TC0465
    TC0480 TC0481 TC0482
    TC0501 TC0502 TC0503 TC0504 TC0505 TC0506 TC0507 TC0508 TC0509
    TC0601 TC0602 TC0603 TC0604 TC0605
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crib_model::Code;

    use super::*;

    /// What both languages have the same of, in the order in which it comes: blocks of code, and the marks of headings, items and
    /// rows. What is typed inside of a sentence comes in the order of the sentence, so it is counted.
    #[derive(Debug, Default, PartialEq)]
    struct Shape<'a> {
        blocks: Vec<&'a str>,
        marks: Vec<&'a str>,
        typed: BTreeMap<&'a str, usize>,
    }

    fn shape(page: &str) -> Shape<'_> {
        let (mut shape, mut is_block) = (Shape::default(), false);
        for line in page.lines() {
            let is_fence = line.trim_start().starts_with("```");
            is_block ^= is_fence;
            if is_block || is_fence {
                shape.blocks.push(line);
                continue;
            }
            shape.marks.extend(["## ", "# ", "- ", "| "].into_iter().find(|mark| line.starts_with(mark)));
            for typed in line.split('`').skip(1).step_by(2) {
                *shape.typed.entry(typed).or_default() += 1;
            }
        }
        shape
    }

    #[test]
    fn every_code_has_a_page_that_says_what_the_english_one_says() {
        for code in Code::ALL {
            let page = page(code.as_str()).unwrap_or_else(|| panic!("{code} has no page in Chinese"));
            let meaning = crate::chinese(code.short()).unwrap_or_else(|| panic!("{code} has no meaning in Chinese"));
            assert!(page.starts_with(&format!("# {code}：{meaning}\n\n")), "{code}: {page}");
            assert_eq!(shape(page), shape(code.document()), "{code}");
        }
        assert_eq!(page("TC9999"), None);
    }

    #[test]
    fn a_block_or_an_option_that_differs_is_found() {
        let english = shape("# A\n\n- See `--x`.\n\n```\na\n```\n");
        assert_eq!(english, shape("# 甲\n\n- 见 `--x`。\n\n```\na\n```\n"));
        for other in
            ["# 甲\n\n- 见 `--y`。\n\n```\na\n```\n", "# 甲\n\n- 见 `--x`。\n\n```\nb\n```\n", "# 甲\n\n见 `--x`。\n\n```\na\n```\n"]
        {
            assert_ne!(english, shape(other), "{other}");
        }
    }
}
