// Only in `cargo xtask dev`: index.html names every file by its content, so when it changes, something did.
const look = async () => (await fetch('./', { cache: 'no-store' })).text();

let first = await look();
setInterval(async () => {
  try {
    const now = await look();
    if (now !== first) {
      first = now;
      location.reload();
    }
  } catch {
    // The server is being built or started again: ask later.
  }
}, 500);
