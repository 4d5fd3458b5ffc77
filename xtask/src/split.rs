//! Cuts the page's wasm at its split points: what is needed at once, and chunks that are loaded later.
//!
//! A function that only a split point reaches goes into that point's chunk, and so does its data;
//! what two of them share gets a chunk of its own. The linker's relocations tell who reaches what.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow, bail};
use wasm_split_cli_support::Options;

use crate::assets::Sources;

/// The module that loads chunks, as the wasm names it. It never becomes a file: see [`join`].
const LINK: &str = "split.js";

/// The wasm in its pieces.
pub(crate) struct Cut {
    /// What wasm-bindgen goes on with.
    pub(crate) main: PathBuf,
    /// The chunks, each by its name on the page.
    pub(crate) chunks: Sources,
    /// The script that loads them.
    pub(crate) link: String,
}

/// Cuts `wasm`, which must have been linked with `--emit-relocs`. Works in `dir`, which it empties.
pub(crate) fn cut(wasm: &[u8], dir: &Path) -> Result<Cut> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    let main = dir.join("main.wasm");
    let mut options = Options::new(wasm);
    options.output_dir = dir;
    options.main_out_path = &main;
    let link = format!("./{LINK}");
    options.link_name = &link;
    let split = wasm_split_cli_support::transform(options)
        .map_err(|error| anyhow!("{error:#}"))
        .context("split the page's wasm")?;
    let mut chunks = Sources::new();
    for file in split.split_modules {
        let name = file.file_name().context("a chunk has no name")?;
        chunks.insert(name.to_string_lossy().into_owned(), read(&file)?);
    }
    let link = String::from_utf8(read(&dir.join(LINK))?).context("the script that loads chunks")?;
    Ok(Cut { main, chunks, link })
}

/// The glue with the script that loads chunks in it. As two modules they would import each other,
/// so neither could be named by its content; and the browser would fetch one more file.
pub(crate) fn join(glue: &str, link: &str) -> Result<String> {
    // wasm-bindgen imports it once for each split point.
    let (imports, glue): (Vec<&str>, Vec<&str>) =
        glue.lines().partition(|line| line.starts_with("import ") && line.contains(LINK));
    if imports.is_empty() {
        bail!("wasm-bindgen's glue does not import the script that loads chunks");
    }
    let link: Vec<&str> = link.lines().filter(|line| !line.starts_with("import ")).collect();
    let loaders = link.iter().filter_map(|line| word_after(line, "export const "));
    let loaders = loaders.collect::<Vec<_>>().join(", ");
    let mut joined = format!("{}\n{}\n", glue.join("\n"), link.join("\n"));
    joined = joined.replace("export const ", "const ");
    for import in imports {
        let name = word_after(import, "import * as ")
            .with_context(|| format!("wasm-bindgen imports it in another way: {import}"))?;
        joined += &format!("const {name} = {{ {loaders} }};\n");
    }
    Ok(joined)
}

fn word_after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    line.strip_prefix(start)?.split(' ').next()
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("read {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::join;

    const LINK: &str = "import { initSync } from \"./main.js\";\n\
        function shared() { return initSync(); }\n\
        export const load_a = make(() => fetch(new URL(\"./split_a.wasm\", import.meta.url)));\n\
        export const load_b = make(() => ({}));\n";

    #[test]
    fn the_glue_and_its_loader_become_one_module() {
        let glue = "import * as import1 from \"./split.js\"\n\
            import * as import2 from \"./split.js\"\n\
            function get() { return { \"./split.js\": import1 }; }\n\
            export { initSync };\n";
        let joined = join(glue, LINK).unwrap();
        assert!(!joined.contains("import * as") && !joined.contains("main.js"), "{joined}");
        assert!(joined.contains("const load_a = make"), "{joined}");
        for name in ["import1", "import2"] {
            let made = format!("const {name} = {{ load_a, load_b }};\n");
            assert!(joined.contains(&made), "{joined}");
        }
    }

    #[test]
    fn a_glue_that_loads_no_chunk_is_told() {
        assert!(join("export {};\n", LINK).is_err());
        assert!(join("import { x } from \"./split.js\"\n", LINK).is_err());
    }
}
