// What Python wrote into the page: one JSON block and base64 blobs.

export const config = () => JSON.parse(document.getElementById('rigface-config').textContent);

export function blob(id) {
  const block = document.getElementById(id);
  if (!block) return null;
  const text = atob(block.textContent.trim());
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  block.remove(); // the decoded copy is enough
  return bytes;
}
