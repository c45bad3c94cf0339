import gzip
import zipfile
packed = zipfile.ZipFile("made.zip", "w")
packed.writestr(zipfile.ZipInfo("entry"), "content")
squeezed = gzip.GzipFile("made.gz", "wb", mtime=0)
squeezed.write(b"squeezed")
