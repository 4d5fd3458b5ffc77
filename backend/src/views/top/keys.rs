//! What a terminal sends for the keys that `vitrine top` knows.

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character that prints.
    Char(char),
    /// Ctrl-C: in raw mode it is only a byte.
    Interrupt,
    /// Ctrl-Z.
    Stop,
    /// Ctrl-L.
    Redraw,
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the first line.
    Home,
    /// To the last line.
    End,
}

/// Takes the keys out of what was typed; the beginning of a sequence stays for the next time.
pub(super) fn decode(typed: &mut Vec<u8>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest: &[u8] = typed;
    while let Some((&byte, behind)) = rest.split_first() {
        let key = match byte {
            0x1b => {
                let Some((key, len)) = sequence(rest) else { break };
                rest = &rest[len..];
                keys.extend(key);
                continue;
            }
            3 => Some(Key::Interrupt),
            0x1a => Some(Key::Stop),
            0x0c => Some(Key::Redraw),
            b' '..=b'~' => Some(Key::Char(char::from(byte))),
            _ => None,
        };
        rest = behind;
        keys.extend(key);
    }
    let kept = rest.to_vec();
    *typed = kept;
    keys
}

/// Longer than any sequence that means something; what is longer is noise.
const MAX_SEQUENCE: usize = 16;

/// The key at the start of an escape sequence, and the sequence's length; `None` when it is not
/// complete yet.
fn sequence(typed: &[u8]) -> Option<(Option<Key>, usize)> {
    match typed.get(1)? {
        b'[' | b'O' => {}
        // Escape itself and then another key.
        _ => return Some((None, 1)),
    }
    let is_last = |byte: &u8| (0x40..=0x7e).contains(byte);
    let Some(at) = typed[2..].iter().position(is_last) else {
        return (typed.len() > MAX_SEQUENCE).then_some((None, typed.len()));
    };
    let (parameters, last) = (&typed[2..2 + at], typed[2 + at]);
    let key = match (last, parameters) {
        (b'A', _) => Some(Key::Up),
        (b'B', _) => Some(Key::Down),
        (b'C', _) => Some(Key::Right),
        (b'D', _) => Some(Key::Left),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Key::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Key::End),
        (b'~', b"5") => Some(Key::PageUp),
        (b'~', b"6") => Some(Key::PageDown),
        _ => None,
    };
    Some((key, 3 + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &[u8], keys: &[Key], kept: &[u8]) {
        let mut bytes = typed.to_vec();
        assert_eq!(decode(&mut bytes), keys, "{typed:?}");
        assert_eq!(bytes, kept, "{typed:?}");
    }

    #[test]
    fn keys_whole_and_in_pieces() {
        check(b"qs", &[Key::Char('q'), Key::Char('s')], b"");
        check(
            b"\x1b[A\x1bOB\x1b[5~\x1b[6~",
            &[Key::Up, Key::Down, Key::PageUp, Key::PageDown],
            b"",
        );
        check(b"\x1b[1;5C\x1b[H\x1b[4~", &[Key::Right, Key::Home, Key::End], b"");
        check(b"a\x1b[", &[Key::Char('a')], b"\x1b[");
        check(b"\x1b", &[], b"\x1b");
        check(b"\x1bq", &[Key::Char('q')], b"");
        check(b"\x03\x1a\x0c", &[Key::Interrupt, Key::Stop, Key::Redraw], b"");
        check(b"\xff\x00\x1b[99z", &[], b"");
        check(&[b"\x1b[".to_vec(), vec![b'1'; 40]].concat(), &[], b"");
    }
}
