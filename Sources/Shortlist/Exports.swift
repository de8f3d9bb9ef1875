// What `import Shortlist` brings: the losses with their options, and the types they speak in.
@_exported import ShortlistCore
@_exported import ShortlistLosses
