const MOST = 2000; // characters that the server takes
const SIZES = [64, 48, 40, 32, 24];
const QUALITIES = [0.8, 0.6, 0.4, 0.25];

/* A picture of the user's choice as a small data: URL, or null if it is none. */
export async function smallPicture(file) {
    const bitmap = await createImageBitmap(file).catch(() => null);
    if (bitmap === null) return null;
    const side = Math.min(bitmap.width, bitmap.height);
    for (const size of SIZES) {
        const canvas = document.createElement('canvas');
        canvas.width = canvas.height = size;
        const pen = canvas.getContext('2d');
        pen.imageSmoothingQuality = 'high';
        pen.fillStyle = 'white';
        pen.fillRect(0, 0, size, size);
        pen.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
        for (const quality of QUALITIES) {
            const url = canvas.toDataURL('image/jpeg', quality);
            if (url.length <= MOST) return url;
        }
    }
    return null;
}
