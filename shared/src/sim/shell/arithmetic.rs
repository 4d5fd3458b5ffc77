//! `$(( … ))`: whole numbers of 64 bits that wrap around, as in C.

/// Operators that take two, the weakest first.
const LEVELS: [&[&str]; 6] =
    [&["||"], &["&&"], &["==", "!="], &["<=", ">=", "<", ">"], &["+", "-"], &["*", "/", "%"]];
/// Brackets in brackets, at most.
const DEPTH_MAX: usize = 64;

/// The value of an expression. Names are variables; one that is not set is 0.
pub(super) fn evaluate(text: &str, variable: &dyn Fn(&str) -> String) -> Result<i64, String> {
    let mut reader = Reader { whole: text, rest: text, variable, depth: 0 };
    let value = reader.level(0)?;
    if reader.rest.trim().is_empty() { Ok(value) } else { Err(reader.bad()) }
}

struct Reader<'a> {
    whole: &'a str,
    rest: &'a str,
    variable: &'a dyn Fn(&str) -> String,
    depth: usize,
}

impl Reader<'_> {
    fn bad(&self) -> String {
        format!("arithmetic expression: expecting primary: \"{}\"", self.whole)
    }

    fn operator(&mut self, level: usize) -> Option<&'static str> {
        self.rest = self.rest.trim_start();
        let found = LEVELS[level].iter().copied().find(|sign| self.rest.starts_with(sign))?;
        self.rest = &self.rest[found.len()..];
        Some(found)
    }

    fn level(&mut self, level: usize) -> Result<i64, String> {
        if level == LEVELS.len() {
            return self.one();
        }
        let mut left = self.level(level + 1)?;
        while let Some(sign) = self.operator(level) {
            let right = self.level(level + 1)?;
            left = match sign {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                "==" => i64::from(left == right),
                "!=" => i64::from(left != right),
                "<=" => i64::from(left <= right),
                ">=" => i64::from(left >= right),
                "<" => i64::from(left < right),
                ">" => i64::from(left > right),
                "+" => left.wrapping_add(right),
                "-" => left.wrapping_sub(right),
                "*" => left.wrapping_mul(right),
                _ if right == 0 => {
                    let what = "arithmetic expression: division by zero";
                    return Err(format!("{what}: \"{}\"", self.whole));
                }
                "/" => left.wrapping_div(right),
                _ => left.wrapping_rem(right),
            };
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<i64, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err("arithmetic expression: too deep".into());
        }
        let value = self.value();
        self.depth -= 1;
        value
    }

    fn value(&mut self) -> Result<i64, String> {
        self.rest = self.rest.trim_start().trim_start_matches('$');
        for (sign, apply) in [
            ("-", i64::wrapping_neg as fn(i64) -> i64),
            ("+", |value| value),
            ("!", |value| i64::from(value == 0)),
        ] {
            if let Some(rest) = self.rest.strip_prefix(sign) {
                self.rest = rest;
                return self.one().map(apply);
            }
        }
        if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            let value = self.level(0)?;
            self.rest = self.rest.trim_start().strip_prefix(')').ok_or_else(|| self.bad())?;
            return Ok(value);
        }
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(self.bad());
        }
        self.rest = rest;
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word
                .parse()
                .map_err(|_| format!("arithmetic expression: bad number \"{word}\""));
        }
        let text = (self.variable)(word);
        match text.trim() {
            "" => Ok(0),
            text => text.parse().map_err(|_| format!("{word}: \"{text}\" is no number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[track_caller]
    fn is(text: &str, value: i64) {
        let variable = |name: &str| if name == "x" { "7".to_owned() } else { String::new() };
        assert_eq!(evaluate(text, &variable), Ok(value), "{text}");
    }

    #[test]
    fn as_in_c() {
        is("1 + 2 * 3", 7);
        is("(1 + 2) * 3 % 5", 4);
        is("x * x - -1", 50);
        is("$x + nothing", 7);
        is("1 < 2 && 2 <= 2 || 0", 1);
        is("!x == 0", 1);
        is("9223372036854775807 + 1", i64::MIN);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let none = |_: &str| String::new();
        for text in ["", "1 +", "1 / 0", "(1", "1 2", "99999999999999999999", "08x"] {
            assert!(evaluate(text, &none).is_err(), "{text}");
        }
        assert!(evaluate(&"(".repeat(1_000), &none).is_err());
    }
}
