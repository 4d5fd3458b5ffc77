// Only in `cargo xtask dev`: index.html names every file by its content, so when it changes, something did.
const look = async () => {
  const response = await fetch('./', { cache: 'no-store' });
  if (!response.ok) throw new Error(`index.html: ${response.status}`);
  return response.text();
};

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
