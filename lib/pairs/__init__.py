"""Training pairs from rendered people: what an estimator answers to a video whose truth is known exactly.

`synsp pairs render` writes clips, the user's estimator answers them, `synsp pairs collect` makes a dataset of both. Between the
two stands a folder:

    OUT/<clip>.mp4      one clip; <clip> is letters, digits and _, such as cmu_s14_c1_00012:
                        person, seed, number
    OUT/<clip>.npz      written whole and before the video, so that a video always has its truth:
        joints3D        [T, J, 3] float32, m, camera coordinates (x right, y down, z away): J = 17 joints in the order of h36m17
        joints2D        [T, J, 2] float32, px from the picture's upper left corner
        K               [3, 3] float32, the camera's matrix: joints2D is what K makes of joints3D
        size            [2] int, (width, height) in px
        fps             float, frames per second
        segments        [T, S, 3, 3] float32, rotations of the body's segments from their rest pose (x left, y up, z ahead) to the
                        camera's axes
        segment_of_joint [J] int, the segment to which each joint is fixed: R^T (x - pelvis) of two joints of one segment differs
                        by the same vector in every frame
        meta            a string of JSON: clip, subject, body, motion {file, source}, licence, mode, seed, size, fps, frames,
                        phenotype, posture, views, split. `mode` says how the estimator is to look at the clip where it knows both ways:
                        `video` (with what it remembers of the frame before) or `static` (each frame as a photo)
    OUT/pairs.json      [meta, …] of all finished clips, rewritten whole after each clip: a kill loses one clip

`views` is null, or the name that all cameras share that filmed one motion at the same time. `split` is `train` or `test`, and
no subject of the one is in the other. Vertices are not stored.
"""

PACKAGES = ("anny", "trimesh", "safetensors", "numba", "cv2", "av")
INDEX = "pairs.json"
