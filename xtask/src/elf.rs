//! What an ELF file says of how it wants to be loaded (`elf(5)`).

/// The loader that a 64-bit little-endian program asks for by `PT_INTERP`: `Some(None)` for a
/// static one, which runs in an empty root too; `None` for what is no such program, or is cut short.
pub(crate) fn interpreter(file: &[u8]) -> Option<Option<String>> {
    const PT_INTERP: usize = 3;
    let part = |at: usize, size: usize| file.get(at..at.checked_add(size)?);
    let number = |at, size| {
        let value = part(at, size)?.iter().rev().fold(0, |n, &byte| n << 8 | u64::from(byte));
        usize::try_from(value).ok()
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let header = table.checked_add(index * size)?;
        if number(header, 4)? == PT_INTERP {
            let field = |offset| number(header.checked_add(offset)?, 8);
            let name = part(field(8)?, field(32)?)?;
            return Some(Some(String::from_utf8_lossy(name).trim_end_matches('\0').to_owned()));
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::interpreter;

    #[test]
    fn this_test_has_a_loader() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let loader = interpreter(&file).unwrap().unwrap();
        assert!(loader.contains("ld-"), "{loader}");
    }

    #[test]
    fn no_program_is_no_program() {
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(b"\x7fELF\x02\x01"), None);
    }

    #[test]
    fn a_table_at_the_end_of_the_address_space_is_cut_short() {
        let mut file = [0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32..40].fill(0xff);
        file[54..58].fill(0xff);
        assert_eq!(interpreter(&file), None);
    }
}
